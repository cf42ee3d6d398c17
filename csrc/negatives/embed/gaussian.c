/* gaussian: a row in a random direction from the image or the caption.
 *   x*_ik = normalise(x_i + sigma g / |g|),  g ~ N(0, I)
 * so that its cosine with x_i is about 1 / sqrt(1 + sigma^2) in any width. */
#include "../../vn_embed.h"

enum { SIGMA, FLOWS };

static void
make(vn_blend *out, const vn_embed *in, const float *param, vn_rng *rng)
{
    (void)rng;
    out->unit = 1;
    out->noise = param[SIGMA];
    vn_blend_add(out, in->side, in->sample, 1.0f, param[FLOWS] != 0.0f);
}

const vn_embed_maker vn_embed_gaussian = {"gaussian", "a random direction from an image or a caption", 0, make};
