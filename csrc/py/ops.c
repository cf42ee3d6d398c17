/* Every operation of the contract on NumPy arrays, for tests and for people who build other models from them.
 * Arguments as in vn_backend.h, outputs first, arrays that the call writes handed in. */
#include "vnpy.h"

#include <string.h>

#include "../core/vn_parallel.h"
#include "levels.h"

enum { MAX_ARGS = 8, OUT = 1, OPTIONAL = 2 };

typedef struct spec {
    const char *name;
    int type;
    const char *axes;
    int how;
} spec;

#define F NPY_FLOAT32

/* The arrays of a call by their specs, then `scalars` integers. */
static int
bind(const char *op, PyObject *const *args, Py_ssize_t n, const spec *specs, int scalars, void **data, int64_t *scalar,
     vnpy_axes *axes)
{
    int arrays = 0;
    while (specs[arrays].name != NULL)
        arrays++;
    if (vnpy_count(op, n, arrays + scalars) < 0)
        return -1;
    memset(axes, 0, sizeof *axes);
    for (int i = 0; i < arrays; i++) {
        const spec *s = &specs[i];
        data[i] = NULL;
        if ((s->how & OPTIONAL) && args[i] == Py_None)
            continue;
        data[i] = s->how & OUT ? vnpy_inout(args[i], s->name, s->type, s->axes, axes)
                               : vnpy_in(args[i], s->name, s->type, s->axes, axes);
        if (data[i] == NULL)
            return -1;
    }
    for (int i = 0; i < scalars; i++)
        if (vnpy_int64(args[arrays + i], "size", 0, 1 << 24, &scalar[i]) < 0)
            return -1;
    return 0;
}

static vn_status
check_rows(vn_ctx *ctx, const char *name, const int32_t *row, int64_t n, int64_t limit)
{
    for (int64_t i = 0; i < n; i++)
        if (row[i] < 0 || row[i] >= limit)
            return vn_fail(&ctx->error, VN_EVALUE, "%s must be in [0, %lld), got %d", name, (long long)limit,
                           (int)row[i]);
    return VN_OK;
}

static vn_status
check_size(vn_ctx *ctx, const char *name, int64_t got, int64_t want)
{
    if (got != want)
        return vn_fail(&ctx->error, VN_ESHAPE, "%s must have %lld rows or columns, got %lld", name, (long long)want,
                       (long long)got);
    return VN_OK;
}

/* the first failure, else the call */
#define AFTER(check, call) (status = (check)) != VN_OK ? status : (call)

#define SIZE(letter) vnpy_size(&axes, letter)
#define OP(op, scalars, call, ...)                                                         \
    static PyObject *op(PyObject *module, PyObject *const *args, Py_ssize_t n)             \
    {                                                                                      \
        static const spec specs[] = {__VA_ARGS__, {NULL, 0, NULL, 0}};                     \
        vnpy_axes axes;                                                                    \
        vn_ctx ctx = {0};                                                                  \
        void *p[MAX_ARGS];                                                                 \
        int64_t s[4] = {0};                                                                \
        vn_status status;                                                                  \
        (void)module, (void)s;                                                             \
        if (bind(#op, args, n, specs, scalars, p, s, &axes) < 0)                           \
            return NULL;                                                                   \
        ctx.be = vnpy_backend();                                                           \
        Py_BEGIN_ALLOW_THREADS                                                             \
        status = call;                                                                     \
        Py_END_ALLOW_THREADS                                                               \
        if (status != VN_OK)                                                               \
            return vnpy_raise(status, &ctx.error);                                         \
        Py_RETURN_NONE;                                                                    \
    }

OP(linear_forward, 1,
   ctx.be->linear_forward(&ctx, p[0], p[1], p[2], p[3], p[4], p[5], SIZE('N'), SIZE('I'), SIZE('O'), (vn_act)s[0]),
   {"out", F, "N,O", OUT}, {"pre", F, "N,O", OUT | OPTIONAL}, {"x", F, "N,I", 0}, {"residual", F, "N,O", OPTIONAL},
   {"weight", F, "O,I", 0}, {"bias", F, "O", OPTIONAL})
OP(linear_backward, 1,
   ctx.be->linear_backward(&ctx, p[0], p[1], p[2], p[3], p[4], p[5], p[6], SIZE('N'), SIZE('I'), SIZE('O'),
                           (vn_act)s[0]),
   {"dx", F, "N,I", OUT | OPTIONAL}, {"dweight", F, "O,I", OUT}, {"dbias", F, "O", OUT | OPTIONAL},
   {"through", F, "N,I", OPTIONAL}, {"dout", F, "N,O", 0}, {"x", F, "N,I", 0}, {"weight", F, "O,I", 0})
OP(project_forward, 0, ctx.be->project_forward(&ctx, p[0], p[1], p[2], SIZE('N'), SIZE('I'), SIZE('O')),
   {"out", F, "N,O", OUT}, {"x", F, "N,I", 0}, {"weight", F, "I,O", 0})
OP(project_backward, 0,
   ctx.be->project_backward(&ctx, p[0], p[1], p[2], p[3], p[4], SIZE('N'), SIZE('I'), SIZE('O')),
   {"dx", F, "N,I", OUT}, {"dweight", F, "I,O", OUT}, {"dout", F, "N,O", 0}, {"x", F, "N,I", 0},
   {"weight", F, "I,O", 0})
OP(act_forward, 1, ctx.be->act_forward(&ctx, p[0], p[1], SIZE('N'), (vn_act)s[0]), {"out", F, "N", OUT},
   {"x", F, "N", 0})
OP(layernorm_forward, 0,
   ctx.be->layernorm_forward(&ctx, p[0], p[1], p[2], p[3], p[4], p[5], SIZE('N'), SIZE('C')),
   {"out", F, "N,C", OUT}, {"mean", F, "N", OUT}, {"rstd", F, "N", OUT}, {"x", F, "N,C", 0}, {"weight", F, "C", 0},
   {"bias", F, "C", 0})
OP(layernorm_backward, 0,
   ctx.be->layernorm_backward(&ctx, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], SIZE('N'), SIZE('C')),
   {"dx", F, "N,C", OUT}, {"dweight", F, "C", OUT}, {"dbias", F, "C", OUT}, {"mean", F, "N", 0}, {"rstd", F, "N", 0},
   {"dout", F, "N,C", 0}, {"x", F, "N,C", 0}, {"weight", F, "C", 0})
OP(embed_forward, 0,
   AFTER(check_rows(&ctx, "id", p[1], SIZE('N'), SIZE('V')),
         AFTER(check_rows(&ctx, "place", p[2], SIZE('N'), SIZE('P')),
               ctx.be->embed_forward(&ctx, p[0], p[1], p[2], p[3], p[4], SIZE('N'), SIZE('C')))),
   {"out", F, "N,C", OUT}, {"id", NPY_INT32, "N", 0}, {"place", NPY_INT32, "N", 0}, {"token", F, "V,C", 0},
   {"position", F, "P,C", 0})
OP(embed_backward, 0,
   AFTER(check_rows(&ctx, "id", p[3], SIZE('N'), SIZE('V')),
         AFTER(check_rows(&ctx, "place", p[4], SIZE('N'), SIZE('P')),
               ctx.be->embed_backward(&ctx, p[0], p[1], p[2], p[3], p[4], SIZE('N'), SIZE('C')))),
   {"dtoken", F, "V,C", OUT}, {"dposition", F, "P,C", OUT}, {"dout", F, "N,C", 0}, {"id", NPY_INT32, "N", 0},
   {"place", NPY_INT32, "N", 0})
OP(patchify_forward, 1,
   AFTER(check_size(&ctx, "x", SIZE('H'), s[0] > 0 ? SIZE('H') / s[0] * s[0] : -1),
         AFTER(check_size(&ctx, "out", SIZE('Q'), 3 * s[0] * s[0]),
               AFTER(check_size(&ctx, "out", SIZE('M'), SIZE('B') * (SIZE('H') / s[0]) * (SIZE('H') / s[0])),
                     ctx.be->patchify_forward(&ctx, p[0], p[1], SIZE('B'), SIZE('H') / s[0], s[0])))),
   {"out", F, "M,Q", OUT},
   {"x", F, "B,3,H,H", 0})
OP(tokens_forward, 0,
   AFTER(check_size(&ctx, "patch", SIZE('M'), SIZE('B') * (SIZE('T') - 1)),
         ctx.be->tokens_forward(&ctx, p[0], p[1], p[2], p[3], SIZE('B'), SIZE('T'), SIZE('C'))),
   {"out", F, "B,T,C", OUT}, {"patch", F, "M,C", 0}, {"head", F, "C", 0}, {"position", F, "T,C", 0})
OP(tokens_backward, 0,
   AFTER(check_size(&ctx, "dpatch", SIZE('M'), SIZE('B') * (SIZE('T') - 1)),
         ctx.be->tokens_backward(&ctx, p[0], p[1], p[2], p[3], SIZE('B'), SIZE('T'), SIZE('C'))),
   {"dpatch", F, "M,C", OUT}, {"dhead", F, "C", OUT}, {"dposition", F, "T,C", OUT}, {"dout", F, "B,T,C", 0})
OP(rows_gather, 0,
   AFTER(check_rows(&ctx, "row", p[2], SIZE('S'), SIZE('N')),
         ctx.be->rows_gather(&ctx, p[0], p[1], p[2], SIZE('S'), SIZE('C'))), {"out", F, "S,C", OUT},
   {"x", F, "N,C", 0}, {"row", NPY_INT32, "S", 0})
OP(rows_scatter, 0,
   AFTER(check_rows(&ctx, "row", p[2], SIZE('S'), SIZE('N')),
         ctx.be->rows_scatter(&ctx, p[0], p[1], p[2], SIZE('S'), SIZE('C'))), {"dx", F, "N,C", OUT},
   {"dout", F, "S,C", 0}, {"row", NPY_INT32, "S", 0})
OP(rows_zero, 0, ctx.be->rows_zero(&ctx, p[0], SIZE('N')), {"x", F, "N", OUT})
OP(l2norm_forward, 0, ctx.be->l2norm_forward(&ctx, p[0], p[1], p[2], SIZE('N'), SIZE('E')), {"out", F, "N,E", OUT},
   {"norm", F, "N", OUT}, {"x", F, "N,E", 0})
OP(l2norm_backward, 0, ctx.be->l2norm_backward(&ctx, p[0], p[1], p[2], p[3], SIZE('N'), SIZE('E')),
   {"dx", F, "N,E", OUT}, {"norm", F, "N", 0}, {"out", F, "N,E", 0}, {"dout", F, "N,E", 0})

/* The four forms of attention: arrays, then begin (R+1), heads, causal. Scratch is taken for the call. */
typedef vn_status attention_call(vn_ctx *ctx, void **p, const vn_runs *runs, int64_t C, int64_t H);

static PyObject *
attention(const char *op, PyObject *const *args, Py_ssize_t n, const spec *specs, attention_call *call)
{
    vnpy_axes axes;
    vn_ctx ctx = {0};
    void *p[MAX_ARGS];
    int64_t s[2];
    if (bind(op, args, n, specs, 2, p, s, &axes) < 0)
        return NULL;
    int arrays = 0;
    while (specs[arrays].name != NULL)
        arrays++;
    const int32_t *begin = p[arrays - 1];
    vn_runs runs = {begin, SIZE('S') - 1, SIZE('N'), 1, (int)s[1]};
    for (int64_t r = 0; r < runs.R; r++) {
        if (begin[r + 1] <= begin[r])
            return PyErr_Format(PyExc_ValueError, "begin must rise");
        runs.longest = VN_MAX(runs.longest, begin[r + 1] - begin[r]);
    }
    if (runs.R < 1 || begin[0] != 0 || begin[runs.R] != runs.N || s[0] < 1 || SIZE('C') % s[0] != 0)
        return PyErr_Format(PyExc_ValueError, "begin must go from 0 to N, and heads must divide C");
    if (SIZE('H') != s[0] || (axes.name['R' - 'A'] != NULL && SIZE('R') != runs.R))
        return PyErr_Format(PyExc_ValueError, "lse must have a column for each of %lld heads, and q a row for each of "
                            "%lld runs", (long long)s[0], (long long)runs.R);
    size_t room = (size_t)VN_MAX_THREADS * (size_t)(2 * runs.longest * runs.longest + 16) * sizeof(float) + 64;
    vn_status status = vn_arena_reserve(&ctx.scratch, room, &ctx.error);
    ctx.be = vnpy_backend();
    Py_BEGIN_ALLOW_THREADS
    if (status == VN_OK)
        status = call(&ctx, p, &runs, SIZE('C'), s[0]);
    Py_END_ALLOW_THREADS
    vn_arena_release(&ctx.scratch);
    if (status != VN_OK)
        return vnpy_raise(status, &ctx.error);
    Py_RETURN_NONE;
}

#define ATTENTION(op, call, ...)                                                          \
    static vn_status op##_call(vn_ctx *ctx, void **p, const vn_runs *runs, int64_t C, int64_t H) \
    {                                                                                     \
        return call;                                                                      \
    }                                                                                     \
    static PyObject *op(PyObject *module, PyObject *const *args, Py_ssize_t n)            \
    {                                                                                     \
        static const spec specs[] = {__VA_ARGS__, {"begin", NPY_INT32, "S", 0}, {NULL, 0, NULL, 0}}; \
        (void)module;                                                                     \
        return attention(#op, args, n, specs, op##_call);                                 \
    }

ATTENTION(attention_forward, ctx->be->attention_forward(ctx, p[0], p[1], p[2], runs, C, H), {"out", F, "N,C", OUT},
          {"lse", F, "N,H", OUT}, {"qkv", F, "N,3,C", 0})
ATTENTION(attention_backward, ctx->be->attention_backward(ctx, p[0], p[1], p[2], p[3], p[4], runs, C, H),
          {"dqkv", F, "N,3,C", OUT}, {"lse", F, "N,H", 0}, {"out", F, "N,C", 0}, {"dout", F, "N,C", 0},
          {"qkv", F, "N,3,C", 0})
ATTENTION(pool_forward, ctx->be->pool_forward(ctx, p[0], p[1], p[2], p[3], runs, C, H), {"out", F, "R,C", OUT},
          {"lse", F, "R,H", OUT}, {"q", F, "R,C", 0}, {"kv", F, "N,2,C", 0})
ATTENTION(pool_backward, ctx->be->pool_backward(ctx, p[0], p[1], p[2], p[3], p[4], p[5], p[6], runs, C, H),
          {"dq", F, "R,C", OUT}, {"dkv", F, "N,2,C", OUT}, {"lse", F, "R,H", 0}, {"out", F, "R,C", 0},
          {"dout", F, "R,C", 0}, {"q", F, "R,C", 0}, {"kv", F, "N,2,C", 0})

#define METHOD(op) {#op, (PyCFunction)(void (*)(void))op, METH_FASTCALL, "see vn_backend.h"}
PyMethodDef vnpy_ops_methods[] = {
    METHOD(linear_forward), METHOD(linear_backward), METHOD(project_forward), METHOD(project_backward),
    METHOD(act_forward), METHOD(layernorm_forward), METHOD(layernorm_backward), METHOD(embed_forward),
    METHOD(embed_backward), METHOD(patchify_forward), METHOD(tokens_forward), METHOD(tokens_backward),
    METHOD(rows_gather), METHOD(rows_scatter), METHOD(rows_zero), METHOD(l2norm_forward), METHOD(l2norm_backward),
    METHOD(attention_forward), METHOD(attention_backward), METHOD(pool_forward), METHOD(pool_backward),
    {NULL, NULL, 0, NULL},
};

int
vnpy_ops_exec(PyObject *module)
{
    (void)module;
    return 0;
}
