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

/* adamw(weights, m, v, gradients, spans, rates, beta1, beta2, eps, gain, t, l2)
 * spans (S,2) int64: offset and count; rates (S,2) float32: learning rate and decay, which l2 = 1 puts inside the
 * gradient. What no span covers stays as it is. */
static PyObject *
adamw(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    static const char *names[] = {"beta1", "beta2", "eps", "gain"};
    vnpy_axes axes = {{0}, {0}};
    vn_ctx ctx = {0};
    float *array[3], scalar[4];
    int64_t t, l2;
    (void)module;
    if (vnpy_count("adamw", n, 12) < 0)
        return NULL;
    for (int i = 0; i < 3; i++)
        if ((array[i] = vnpy_inout(args[i], i == 0 ? "weights" : i == 1 ? "m" : "v", NPY_FLOAT32, "N", &axes)) == NULL)
            return NULL;
    const float *grad = vnpy_in(args[3], "gradients", NPY_FLOAT32, "N", &axes);
    const int64_t *span = grad != NULL ? vnpy_in(args[4], "spans", NPY_INT64, "S,2", &axes) : NULL;
    const float *rate = span != NULL ? vnpy_in(args[5], "rates", NPY_FLOAT32, "S,2", &axes) : NULL;
    if (rate == NULL || vnpy_int64(args[10], "t", 1, INT64_C(1) << 40, &t) < 0 ||
        vnpy_int64(args[11], "l2", 0, 1, &l2) < 0)
        return NULL;
    for (int i = 0; i < 4; i++)
        if (vnpy_float(args[6 + i], names[i], &scalar[i]) < 0)
            return NULL;
    int64_t spans = vnpy_size(&axes, 'S'), size = vnpy_size(&axes, 'N');
    for (int64_t s = 0; s < spans; s++)
        if (span[2 * s] < 0 || span[2 * s + 1] < 0 || span[2 * s] > size - span[2 * s + 1])
            return PyErr_Format(PyExc_ValueError, "span %lld leaves the weights", (long long)s);
    vn_status status = VN_OK;
    Py_BEGIN_ALLOW_THREADS
    ctx.be = vnpy_backend();
    vn_adamw_args a = {0.0f, scalar[0], scalar[1], scalar[2], 0.0f, 0.0f, scalar[3],
                       (float)(1.0 - pow((double)scalar[0], (double)t)),
                       (float)(1.0 - pow((double)scalar[1], (double)t))};
    for (int64_t s = 0; s < spans && status == VN_OK; s++) {
        int64_t at = span[2 * s];
        a.lr = rate[2 * s];
        *(l2 ? &a.l2 : &a.decay) = rate[2 * s + 1];
        status = ctx.be->adamw_update(&ctx, array[0] + at, array[1] + at, array[2] + at, grad + at, span[2 * s + 1],
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
     "adamw(weights, m, v, gradients, spans, rates, beta1, beta2, eps, gain, t, l2)"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_optim_exec(PyObject *module)
{
    (void)module;
    return 0;
}
