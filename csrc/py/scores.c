/* Scores, ranks and resampled sums for benchmarks. */
#include "vnpy.h"

#include "../scores/vn_scores.h"

/* score_pairs(image (N,E), text (M,E), i (P), j (P)) -> (P) float32 */
static PyObject *
score_pairs(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    const float *image, *text;
    const int32_t *i, *j;
    (void)module;
    if (vnpy_count("score_pairs", n, 4) < 0 ||
        (image = vnpy_in(args[0], "image", NPY_FLOAT32, "N,E", &axes)) == NULL ||
        (text = vnpy_in(args[1], "text", NPY_FLOAT32, "M,E", &axes)) == NULL ||
        (i = vnpy_in(args[2], "i", NPY_INT32, "P", &axes)) == NULL ||
        (j = vnpy_in(args[3], "j", NPY_INT32, "P", &axes)) == NULL)
        return NULL;
    PyObject *score = vnpy_out(NPY_FLOAT32, "P", &axes);
    if (score == NULL)
        return NULL;
    vn_error error;
    vn_status status;
    float *out = vnpy_data(score);
    Py_BEGIN_ALLOW_THREADS
    status = vn_scores_pairs(out, image, text, i, j, vnpy_size(&axes, 'P'), vnpy_size(&axes, 'N'),
                             vnpy_size(&axes, 'M'), vnpy_size(&axes, 'E'), &error);
    Py_END_ALLOW_THREADS
    if (status != VN_OK) {
        Py_DECREF(score);
        return vnpy_raise(status, &error);
    }
    return score;
}

/* score_ranks(query (N,E), gallery (M,E), best (N)) -> better (N), equal (N) int64 */
static PyObject *
score_ranks(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    const float *query, *gallery, *best;
    (void)module;
    if (vnpy_count("score_ranks", n, 3) < 0 ||
        (query = vnpy_in(args[0], "query", NPY_FLOAT32, "N,E", &axes)) == NULL ||
        (gallery = vnpy_in(args[1], "gallery", NPY_FLOAT32, "M,E", &axes)) == NULL ||
        (best = vnpy_in(args[2], "best", NPY_FLOAT32, "N", &axes)) == NULL)
        return NULL;
    PyObject *better = vnpy_out(NPY_INT64, "N", &axes), *equal = vnpy_out(NPY_INT64, "N", &axes);
    if (better == NULL || equal == NULL) {
        Py_XDECREF(better);
        Py_XDECREF(equal);
        return NULL;
    }
    int64_t *above = vnpy_data(better), *same = vnpy_data(equal);
    Py_BEGIN_ALLOW_THREADS
    vn_scores_ranks(above, same, query, gallery, best, vnpy_size(&axes, 'N'), vnpy_size(&axes, 'M'),
                    vnpy_size(&axes, 'E'));
    Py_END_ALLOW_THREADS
    return Py_BuildValue("NN", better, equal);
}

/* resample(x (G,C), draws, seed) -> (B,C) float64 */
static PyObject *
resample(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {0};
    const double *x;
    int64_t draws;
    uint64_t seed;
    (void)module;
    if (vnpy_count("resample", n, 3) < 0 || (x = vnpy_in(args[0], "x", NPY_FLOAT64, "G,C", &axes)) == NULL ||
        vnpy_int64(args[1], "draws", 0, INT32_MAX, &draws) < 0 || vnpy_uint64(args[2], "seed", &seed) < 0)
        return NULL;
    axes.size['B' - 'A'] = draws;
    PyObject *sums = vnpy_out(NPY_FLOAT64, "B,C", &axes);
    if (sums == NULL)
        return NULL;
    double *out = vnpy_data(sums);
    Py_BEGIN_ALLOW_THREADS
    vn_scores_resample(out, x, draws, vnpy_size(&axes, 'G'), vnpy_size(&axes, 'C'), seed);
    Py_END_ALLOW_THREADS
    return sums;
}

PyMethodDef vnpy_scores_methods[] = {
    {"score_pairs", (PyCFunction)(void (*)(void))score_pairs, METH_FASTCALL,
     "score_pairs(image, text, i, j) -> dot products of image[i] and text[j]"},
    {"score_ranks", (PyCFunction)(void (*)(void))score_ranks, METH_FASTCALL,
     "score_ranks(query, gallery, best) -> gallery rows above and at best, a query"},
    {"resample", (PyCFunction)(void (*)(void))resample, METH_FASTCALL,
     "resample(x, draws, seed) -> sums of rows of x drawn with replacement"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_scores_exec(PyObject *module)
{
    (void)module;
    return 0;
}
