/* The optimiser's two sweeps over flat weights. */
#include "vnpy.h"

#include <math.h>

#include "levels.h"

/* square_sum(x) -> sum of squares */
static PyObject *
square_sum(PyObject *module, PyObject *object)
{
    vnpy_axes axes = {{0}, {0}};
    vn_ctx ctx = {0};
    double sum = 0.0;
    (void)module;
    const float *x = vnpy_in(object, "x", NPY_FLOAT32, "N", &axes);
    if (x == NULL)
        return NULL;
    int64_t count = vnpy_size(&axes, 'N');
    vn_status status;
    Py_BEGIN_ALLOW_THREADS
    ctx.be = vnpy_backend();
    status = ctx.be->square_sum(&ctx, &sum, x, count);
    Py_END_ALLOW_THREADS
    return status == VN_OK ? PyFloat_FromDouble(sum) : vnpy_raise(status, &ctx.error);
}

/* adamw(weights, m, v, gradients, spans, lr, beta1, beta2, eps, decay, gain, t)
 * spans (S,3) int64: offset, count, whether the tensor decays */
static PyObject *
adamw(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    static const char *names[] = {"lr", "beta1", "beta2", "eps", "decay", "gain"};
    vnpy_axes axes = {{0}, {0}};
    vn_ctx ctx = {0};
    float *array[3], scalar[6];
    int64_t t;
    (void)module;
    if (vnpy_count("adamw", n, 12) < 0)
        return NULL;
    for (int i = 0; i < 3; i++)
        if ((array[i] = vnpy_inout(args[i], i == 0 ? "weights" : i == 1 ? "m" : "v", NPY_FLOAT32, "N", &axes)) == NULL)
            return NULL;
    const float *grad = vnpy_in(args[3], "gradients", NPY_FLOAT32, "N", &axes);
    const int64_t *span = grad != NULL ? vnpy_in(args[4], "spans", NPY_INT64, "S,3", &axes) : NULL;
    if (span == NULL || vnpy_int64(args[11], "t", 1, INT64_C(1) << 40, &t) < 0)
        return NULL;
    for (int i = 0; i < 6; i++)
        if (vnpy_float(args[5 + i], names[i], &scalar[i]) < 0)
            return NULL;
    int64_t spans = vnpy_size(&axes, 'S'), size = vnpy_size(&axes, 'N');
    for (int64_t s = 0; s < spans; s++)
        if (span[3 * s] < 0 || span[3 * s + 1] < 0 || span[3 * s] > size - span[3 * s + 1])
            return PyErr_Format(PyExc_ValueError, "span %lld leaves the weights", (long long)s);
    vn_status status = VN_OK;
    Py_BEGIN_ALLOW_THREADS
    ctx.be = vnpy_backend();
    vn_adamw_args a = {scalar[0], scalar[1], scalar[2], scalar[3], 0.0f, scalar[5],
                       (float)(1.0 - pow((double)scalar[1], (double)t)),
                       (float)(1.0 - pow((double)scalar[2], (double)t))};
    for (int64_t s = 0; s < spans && status == VN_OK; s++) {
        int64_t at = span[3 * s];
        a.decay = span[3 * s + 2] ? scalar[4] : 0.0f;
        status = ctx.be->adamw_update(&ctx, array[0] + at, array[1] + at, array[2] + at, grad + at, span[3 * s + 1],
                                      &a);
    }
    Py_END_ALLOW_THREADS
    if (status != VN_OK)
        return vnpy_raise(status, &ctx.error);
    Py_RETURN_NONE;
}

PyMethodDef vnpy_optim_methods[] = {
    {"square_sum", square_sum, METH_O, "square_sum(x) -> float"},
    {"adamw", (PyCFunction)(void (*)(void))adamw, METH_FASTCALL,
     "adamw(weights, m, v, gradients, spans, lr, beta1, beta2, eps, decay, gain, t)"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_optim_exec(PyObject *module)
{
    (void)module;
    return 0;
}
