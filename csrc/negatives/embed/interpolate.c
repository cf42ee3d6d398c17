/* interpolate: a harder caption between a negative and the true one, or between two negatives of a sample.
 *   t*_ik = normalise(mu t-_ik + (1 - mu) y),  y = t_i  or  t-_il, l another valid slot;  mu ~ U(low, 1)
 * mu -> 0 would be the true caption itself. arXiv:2010.01028 (mixing of hard negatives). */
#include "../../vn_embed.h"

enum { LOW, FLOWS, WITH }; /* WITH: 0 the true caption, 1 another negative */

/* a valid slot other than k; -1: there is none */
static int64_t
draw_other(const vn_embed *in, int64_t k, vn_rng *rng)
{
    int64_t others = 0, l = -1;
    for (int64_t j = 0; j < in->K; j++)
        others += j != k && vn_embed_valid(in, j);
    for (int64_t left = others > 0 ? vn_rng_below(rng, others) : -1; left >= 0; left--)
        for (l++; l == k || !vn_embed_valid(in, l);)
            l++;
    return l;
}

static void
make(vn_blend *out, const vn_embed *in, const float *param, vn_rng *rng)
{
    int64_t k = in->slot, other = -1;
    int flows = param[FLOWS] != 0.0f;
    if (!vn_embed_valid(in, k))
        return;
    float mu = param[LOW] + (1.0f - param[LOW]) * vn_rng_uniform(rng);
    if (param[WITH] != 0.0f && (other = draw_other(in, k, rng)) < 0)
        return;
    out->unit = 1;
    out->mu = mu;
    out->partner = (int32_t)other;
    vn_blend_add(out, VN_NEG_TEXT, in->sample * in->K + k, mu, flows);
    if (other >= 0)
        vn_blend_add(out, VN_NEG_TEXT, in->sample * in->K + other, 1.0f - mu, flows);
    else
        vn_blend_add(out, VN_TEXT, in->sample, 1.0f - mu, flows);
}

const vn_embed_maker vn_embed_interpolate = {"interpolate", "between a negative caption and the true one", 0, make};
