/* hardest: between a sample's own row and that of the other sample which its counterpart likes best.
 *   v*_ik = normalise(mu v_j + (1 - mu) v_i),  j the k-th of all j, best t_i.v_j first, that are no duplicates of i
 * and the same with images and captions exchanged; mu ~ U(low, 1). arXiv:2010.01028. */
#include "../../vn_embed.h"

enum { LOW, FLOWS };

static void
make(vn_blend *out, const vn_embed *in, const float *param, vn_rng *rng)
{
    int64_t other = in->partner[in->slot];
    int flows = param[FLOWS] != 0.0f;
    if (other < 0)
        return;
    float mu = param[LOW] + (1.0f - param[LOW]) * vn_rng_uniform(rng);
    out->unit = 1;
    out->mu = mu;
    out->partner = (int32_t)other;
    vn_blend_add(out, in->side, other, mu, flows);
    vn_blend_add(out, in->side, in->sample, 1.0f - mu, flows);
}

const vn_embed_maker vn_embed_hardest = {"hardest", "between a row and the hardest other row of the batch", 1, make};
