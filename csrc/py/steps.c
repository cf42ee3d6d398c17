/* _core.Model.encode and backward: captions and pixels through the towers, and gradients back. */
#include "vnpy.h"

#include <string.h>

#include "levels.h"
#include "model.h"

/* ids in [0, vocab), offsets rising by 1 .. context from 0 to T */
static int
check_captions(const vn_clip_config *c, const int32_t *id, int64_t T, const int32_t *offset, int64_t S)
{
    if (S < 0 || offset[0] != 0 || offset[S] != T) {
        PyErr_SetString(PyExc_ValueError, "offsets must start at 0 and end at the number of ids");
        return -1;
    }
    for (int64_t s = 0; s < S; s++) {
        int64_t length = (int64_t)offset[s + 1] - offset[s];
        if (length < 1 || length > c->context) {
            PyErr_Format(PyExc_ValueError, "caption %lld has %lld tokens, expected 1 to %lld", (long long)s,
                         (long long)length, (long long)c->context);
            return -1;
        }
    }
    for (int64_t i = 0; i < T; i++)
        if (id[i] < 0 || id[i] >= c->vocab) {
            PyErr_Format(PyExc_ValueError, "token id %d is outside the vocabulary of %lld; is this the tokenizer "
                         "that belongs to the model?", (int)id[i], (long long)c->vocab);
            return -1;
        }
    return 0;
}

/* Pixels and captions of a call; x or id is NULL where there are none. */
typedef struct batch {
    const float *x;
    const int32_t *id, *offset;
    int64_t B, S, N;
} batch;

static int
read_batch(batch *b, const vn_clip_config *c, PyObject *const *args, vnpy_axes *axes)
{
    axes->name['H' - 'A'] = axes->name['E' - 'A'] = "the configuration";
    axes->size['H' - 'A'] = c->image_size;
    axes->size['E' - 'A'] = c->embed;
    if (args[0] != Py_None) {
        if ((b->x = vnpy_in(args[0], "x", NPY_FLOAT32, "B,3,H,H", axes)) == NULL)
            return -1;
        b->B = vnpy_size(axes, 'B');
    }
    if (args[1] != Py_None) {
        if ((b->id = vnpy_in(args[1], "ids", NPY_INT32, "T", axes)) == NULL ||
            (b->offset = vnpy_in(args[2], "offsets", NPY_INT32, "O", axes)) == NULL)
            return -1;
        b->S = vnpy_size(axes, 'O') - 1;
        b->N = vnpy_size(axes, 'T');
        if (check_captions(c, b->id, b->N, b->offset, b->S) < 0)
            return -1;
    }
    axes->name['S' - 'A'] = "ids";
    axes->size['S' - 'A'] = b->S;
    return 0;
}

/* what a call returns: image (B,E), text (S,E), patches (B,P,E), tokens (T,E); NULL: None */
enum { IMAGE, TEXT, PATCHES, TOKENS, OUTPUTS };

static int
make_outputs(PyObject **out, const batch *b, const vn_clip_config *c, int tokens, vnpy_axes *axes)
{
    int64_t G = c->image_size / c->patch;
    axes->name['P' - 'A'] = "the configuration";
    axes->size['P' - 'A'] = G * G;
    const char *shape[OUTPUTS] = {b->x != NULL ? "B,E" : NULL, b->id != NULL ? "S,E" : NULL,
                                  b->x != NULL && tokens ? "B,P,E" : NULL, b->id != NULL && tokens ? "T,E" : NULL};
    for (int i = 0; i < OUTPUTS; i++)
        if (shape[i] != NULL && (out[i] = vnpy_out(NPY_FLOAT32, shape[i], axes)) == NULL)
            return -1;
    return 0;
}

static vn_status
encode(vnpy_model *self, const batch *b, PyObject *const *out, int keep, int normalize, int tokens)
{
    const vn_clip_config *c = &self->model.config;
    vn_workspace *w = &self->work[keep];
    size_t row = (size_t)c->embed * sizeof(float);
    float *to[OUTPUTS];
    for (int i = 0; i < OUTPUTS; i++)
        to[i] = out[i] != NULL ? vnpy_data(out[i]) : NULL;
    if (keep)
        self->images = self->captions = -1;
    VN_TRY(vn_workspace_reserve(w, c, b->B, b->S, b->N, keep, tokens, &w->ctx.error));
    w->ctx.be = vnpy_backend();
    if (b->B > 0) {
        VN_TRY(vn_image_forward(w, &self->model, b->x, b->B, to[PATCHES]));
        memcpy(to[IMAGE], normalize ? w->image.unit : w->image.embedding, (size_t)b->B * row);
    }
    if (b->S > 0) {
        VN_TRY(vn_text_forward(w, &self->model, b->id, b->offset, b->S, to[TOKENS]));
        memcpy(to[TEXT], normalize ? w->text.unit : w->text.embedding, (size_t)b->S * row);
    }
    if (keep) {
        self->images = b->B;
        self->captions = b->S;
        self->nodes = tokens ? b->N : -1;
    }
    return VN_OK;
}

/* encode(x, ids, offsets, keep, normalize, tokens) -> (image, text, patches, tokens); None where there is none */
PyObject *
vnpy_model_encode(vnpy_model *self, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {{0}, {0}};
    batch b = {0};
    int64_t keep, normalize, tokens;
    PyObject *out[OUTPUTS] = {NULL};
    if (vnpy_count("encode", n, 6) < 0 || vnpy_int64(args[3], "keep", 0, 1, &keep) < 0 ||
        vnpy_int64(args[4], "normalize", 0, 1, &normalize) < 0 || vnpy_int64(args[5], "tokens", 0, 1, &tokens) < 0 ||
        read_batch(&b, &self->model.config, args, &axes) < 0)
        return NULL;
    vn_status status = VN_OK;
    int made = make_outputs(out, &b, &self->model.config, (int)tokens, &axes);
    if (made == 0) {
        vnpy_model_acquire(self);
        Py_BEGIN_ALLOW_THREADS
        status = encode(self, &b, out, (int)keep, (int)normalize, (int)tokens);
        Py_END_ALLOW_THREADS
        PyThread_release_lock(self->lock);
    }
    if (made < 0 || status != VN_OK) {
        for (int i = 0; i < OUTPUTS; i++)
            Py_XDECREF(out[i]);
        return made < 0 ? NULL : vnpy_raise(status, &self->work[keep].ctx.error);
    }
    for (int i = 0; i < OUTPUTS; i++)
        out[i] = out[i] != NULL ? out[i] : Py_NewRef(Py_None);
    return Py_BuildValue("NNNN", out[IMAGE], out[TEXT], out[PATCHES], out[TOKENS]);
}

/* The gradients that a call hands in, by what they are of; NULL where it hands in None. */
static int
read_gradients(const float **d, const vnpy_model *self, PyObject *const *args)
{
    static const char *const name[OUTPUTS] = {"dimage", "dtext", "dpatches", "dtokens"};
    static const char *const shape[OUTPUTS] = {"B,E", "S,E", "B,P,E", "T,E"};
    const vn_clip_config *c = &self->model.config;
    int64_t G = c->image_size / c->patch;
    const int64_t size[][2] = {{'B', self->images}, {'S', self->captions}, {'E', c->embed}, {'P', G * G},
                               {'T', self->nodes}};
    vnpy_axes axes = {{0}, {0}};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        axes.name[size[i][0] - 'A'] = "the encoded batch";
        axes.size[size[i][0] - 'A'] = size[i][1];
    }
    for (int i = 0; i < OUTPUTS; i++) {
        if (args[i] == Py_None)
            continue;
        if (i >= PATCHES && self->nodes < 0) {
            PyErr_Format(PyExc_RuntimeError, "%s needs a batch that was encoded with tokens=1", name[i]);
            return -1;
        }
        if ((d[i] = vnpy_in(args[i], name[i], NPY_FLOAT32, shape[i], &axes)) == NULL)
            return -1;
    }
    return 0;
}

/* The kept batch must not change between the checks and the call, so self is locked by the caller. */
static PyObject *
backward(vnpy_model *self, PyObject *const *args)
{
    const float *d[OUTPUTS] = {NULL};
    PyObject *const given[OUTPUTS] = {args[0], args[1], args[3], args[4]};
    int64_t add;
    vn_error error;
    if (self->images < 0) {
        PyErr_SetString(PyExc_RuntimeError, "backward needs a batch that was encoded with keep=1");
        return NULL;
    }
    if (vnpy_int64(args[2], "add", 0, 1, &add) < 0 || read_gradients(d, self, given) < 0)
        return NULL;
    vn_status status = vn_model_want_gradients(&self->model, &error);
    if (status != VN_OK)
        return vnpy_raise(status, &error);
    vn_workspace *w = &self->work[1];
    Py_BEGIN_ALLOW_THREADS
    w->ctx.be = vnpy_backend();
    if (!add)
        status = w->ctx.be->rows_zero(&w->ctx, (float *)self->model.gradients.base, self->model.floats);
    if (status == VN_OK && (d[IMAGE] != NULL || d[PATCHES] != NULL) && self->images > 0)
        status = vn_image_backward(w, &self->model, d[IMAGE], d[PATCHES]);
    if (status == VN_OK && (d[TEXT] != NULL || d[TOKENS] != NULL) && self->captions > 0)
        status = vn_text_backward(w, &self->model, d[TEXT], d[TOKENS]);
    Py_END_ALLOW_THREADS
    if (status != VN_OK)
        return vnpy_raise(status, &w->ctx.error);
    Py_RETURN_NONE;
}

/* backward(dimage, dtext, add, dpatches, dtokens), gradients or None: those of the kept batch replace the model's, or
 * are added to them */
PyObject *
vnpy_model_backward(vnpy_model *self, PyObject *const *args, Py_ssize_t n)
{
    if (vnpy_count("backward", n, 5) < 0)
        return NULL;
    vnpy_model_acquire(self);
    PyObject *result = backward(self, args);
    PyThread_release_lock(self->lock);
    return result;
}
