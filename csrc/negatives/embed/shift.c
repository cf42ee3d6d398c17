/* shift: the image moved by what the negative caption changes in the text.
 *   v-_ik = v_i + factor (t-_ik - t_i)
 * Un-normalised, image-anchored cosines are 1 + factor (c_ik - a_ii), text-anchored ones a_ii - factor (1 - g_ik):
 * the latter leave no new direction to learn. Texts are constants unless they flow.
 * arXiv:2505.15576 (AHNPL). */
#include "../../vn_embed.h"

enum { FACTOR, UNIT, FLOWS };

static void
make(vn_blend *out, const vn_embed *in, const float *param, vn_rng *rng)
{
    int flows = param[FLOWS] != 0.0f;
    (void)rng;
    if (!vn_embed_valid(in, in->slot))
        return;
    out->unit = param[UNIT] != 0.0f;
    vn_blend_add(out, VN_IMAGE, in->sample, 1.0f, 1);
    vn_blend_add(out, VN_TEXT, in->sample, -param[FACTOR], flows);
    vn_blend_add(out, VN_NEG_TEXT, in->sample * in->K + in->slot, param[FACTOR], flows);
}

const vn_embed_maker vn_embed_shift = {"shift", "the image moved by what the negative caption changes", 0, make};
