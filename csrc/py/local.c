/* The token-patch score on NumPy arrays, as in vn_backend.h, with its scratch. */
#include "vnpy.h"

#include "levels.h"

enum { SCALE_LIMIT = 1000000 };

/* What both directions read, and their context. */
typedef struct call {
    const float *patches, *tokens;
    const int32_t *offset;
    const uint8_t *live;
    vn_local_args args;
    vn_ctx ctx;
} call;

/* offsets must rise from 0 to the number of tokens, B S + 1 of them */
static int
check_offsets(const int32_t *offset, int64_t slots, int64_t n, int64_t tokens)
{
    if (n != slots + 1 || offset[0] != 0 || offset[slots] != tokens) {
        PyErr_Format(PyExc_ValueError, "offsets must be %lld numbers from 0 to the number of tokens, one more than "
                     "captions, got %lld", (long long)slots + 1, (long long)n);
        return -1;
    }
    for (int64_t i = 0; i < slots; i++)
        if (offset[i + 1] < offset[i]) {
            PyErr_Format(PyExc_ValueError, "offsets must not fall, and do after place %lld", (long long)i);
            return -1;
        }
    return 0;
}

/* patches, tokens, offsets, live, scale, threshold, length_norm; B and S are bound already */
static int
read_call(call *c, PyObject *const *args, vnpy_axes *axes)
{
    int ok = 1;
    int64_t threshold, length_norm;
    if ((c->patches = vnpy_in(args[0], "patches", NPY_FLOAT32, "B,P,E", axes)) == NULL ||
        (c->tokens = vnpy_in(args[1], "tokens", NPY_FLOAT32, "T,E", axes)) == NULL ||
        (c->offset = vnpy_in(args[2], "offsets", NPY_INT32, "O", axes)) == NULL)
        return -1;
    c->live = vnpy_in_or_none(args[3], "live", NPY_UINT8, "B,S", axes, &ok);
    if (!ok || vnpy_float(args[4], "scale", &c->args.scale) < 0 ||
        vnpy_int64(args[5], "threshold", 0, 1, &threshold) < 0 ||
        vnpy_int64(args[6], "length_norm", 0, 1, &length_norm) < 0 ||
        check_offsets(c->offset, vnpy_size(axes, 'B') * vnpy_size(axes, 'S'), vnpy_size(axes, 'O'),
                      vnpy_size(axes, 'T')) < 0)
        return -1;
    if (!(c->args.scale > 0.0f && c->args.scale <= SCALE_LIMIT) || vnpy_size(axes, 'P') < 1) {
        PyErr_SetString(PyExc_ValueError, "scale must be in (0, 1e6], and an image must have a patch");
        return -1;
    }
    c->args.threshold = (int)threshold;
    c->args.length_norm = (int)length_norm;
    size_t room = (size_t)vn_local_scratch(vnpy_size(axes, 'P'), vnpy_size(axes, 'E')) * sizeof(float) + 64;
    vn_status status = vn_arena_reserve(&c->ctx.scratch, room, &c->ctx.error);
    c->ctx.be = vnpy_backend();
    if (status != VN_OK)
        vnpy_raise(status, &c->ctx.error);
    return status == VN_OK ? 0 : -1;
}

static PyObject *
finish(call *c, vn_status status, PyObject *result)
{
    vn_arena_release(&c->ctx.scratch);
    if (status == VN_OK)
        return result;
    Py_XDECREF(result);
    return vnpy_raise(status, &c->ctx.error);
}

/* local_forward(score, mean, patches, tokens, offsets, live or None, scale, threshold, length_norm) */
static PyObject *
local_forward(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {{0}, {0}};
    call c = {0};
    float *score, *mean;
    (void)module;
    if (vnpy_count("local_forward", n, 9) < 0 ||
        (score = vnpy_inout(args[0], "score", NPY_FLOAT32, "B,S", &axes)) == NULL ||
        (mean = vnpy_inout(args[1], "mean", NPY_FLOAT32, "B,S", &axes)) == NULL || read_call(&c, args + 2, &axes) < 0)
        return NULL;
    vn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c.ctx.be->local_forward(&c.ctx, score, mean, c.patches, c.tokens, c.offset, c.live, vnpy_size(&axes, 'B'),
                                     vnpy_size(&axes, 'S'), vnpy_size(&axes, 'P'), vnpy_size(&axes, 'E'), &c.args);
    Py_END_ALLOW_THREADS
    return finish(&c, status, Py_NewRef(Py_None));
}

/* local_backward(dpatches, dtokens, score, mean, dscore, then as forward) -> dscale */
static PyObject *
local_backward(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {{0}, {0}};
    call c = {0};
    float *dpatches, *dtokens;
    const float *score, *mean, *dscore;
    double dscale = 0.0;
    (void)module;
    if (vnpy_count("local_backward", n, 12) < 0 ||
        (dpatches = vnpy_inout(args[0], "dpatches", NPY_FLOAT32, "B,P,E", &axes)) == NULL ||
        (dtokens = vnpy_inout(args[1], "dtokens", NPY_FLOAT32, "T,E", &axes)) == NULL ||
        (score = vnpy_in(args[2], "score", NPY_FLOAT32, "B,S", &axes)) == NULL ||
        (mean = vnpy_in(args[3], "mean", NPY_FLOAT32, "B,S", &axes)) == NULL ||
        (dscore = vnpy_in(args[4], "dscore", NPY_FLOAT32, "B,S", &axes)) == NULL || read_call(&c, args + 5, &axes) < 0)
        return NULL;
    vn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c.ctx.be->local_backward(&c.ctx, dpatches, dtokens, &dscale, score, mean, dscore, c.patches, c.tokens,
                                      c.offset, c.live, vnpy_size(&axes, 'B'), vnpy_size(&axes, 'S'),
                                      vnpy_size(&axes, 'P'), vnpy_size(&axes, 'E'), &c.args);
    Py_END_ALLOW_THREADS
    return finish(&c, status, PyFloat_FromDouble(dscale));
}

#define METHOD(op) {#op, (PyCFunction)(void (*)(void))op, METH_FASTCALL, "see vn_backend.h"}
PyMethodDef vnpy_local_methods[] = {METHOD(local_forward), METHOD(local_backward), {NULL, NULL, 0, NULL}};

int
vnpy_local_exec(PyObject *module)
{
    (void)module;
    return 0;
}
