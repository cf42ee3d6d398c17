/* uniform: rows of one modality spread over the sphere.
 *   L = log of the mean over i != j of exp(-t |x_i - x_j|^2),  |x_i - x_j|^2 = 2 - 2 c_ij
 * Samples that share a picture or a caption are no pair. arXiv:2005.10242. */
#include "../vn_term.h"

static const vn_param params[] = {
    {"modality", "text|image", 0, 0, 1, "captions or images"},
    {"t", NULL, 2, 0.001, 100, "how much nearer pairs count more"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_TEXT, VN_TEXT, VN_BLOCK | VN_BY_ROW, 1, 0, 0, 0},
    {VN_IMAGE, VN_IMAGE, VN_BLOCK | VN_BY_ROW, 1, 1, 0, 0},
    VN_END_READS,
};

static float
twice(const float *param)
{
    return 2.0f * param[1];
}

VN_HD static inline float
stat(vn_cell x, const vn_term_args *a)
{
    return a->scale * (x.c - 1.0f);
}

/* sum p = 1, so that p times the logarithm of the mean is a cell's share of it; times the samples that the engine
 * divides by */
VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    float p = a->samples * vn_expf(vn_log_share(x.z, x.row));
    d.dc = a->scale * p;
    d.loss = p * (x.row.top + (x.row.log - a->log_joined));
    return d;
}

#define VN_TERM           uniform
#define VN_TERM_DOC       "logarithm of the mean of a Gaussian of the distances inside one modality"
#define VN_TERM_STAT      stat
#define VN_TERM_GRAD      grad
#define VN_TERM_FIXED     twice
#define VN_TERM_REDUCTION VN_WHOLE
#include "../vn_term_body.h"
