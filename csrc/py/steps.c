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

/* encode(x or None, ids or None, offsets or None, keep, normalize) -> (image or None, text or None) */
PyObject *
vnpy_model_encode(vnpy_model *self, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {{0}, {0}};
    const vn_clip_config *c = &self->model.config;
    batch b = {0};
    int64_t keep, normalize;
    PyObject *out_image = NULL, *out_text = NULL;
    if (vnpy_count("encode", n, 5) < 0 || vnpy_int64(args[3], "keep", 0, 1, &keep) < 0 ||
        vnpy_int64(args[4], "normalize", 0, 1, &normalize) < 0 || read_batch(&b, c, args, &axes) < 0)
        return NULL;
    if ((b.x != NULL && (out_image = vnpy_out(NPY_FLOAT32, "B,E", &axes)) == NULL) ||
        (b.id != NULL && (out_text = vnpy_out(NPY_FLOAT32, "S,E", &axes)) == NULL)) {
        Py_XDECREF(out_image);
        return NULL;
    }
    vnpy_model_acquire(self);
    vn_status status;
    Py_BEGIN_ALLOW_THREADS
    vn_workspace *w = &self->work[keep];
    size_t row = (size_t)c->embed * sizeof(float);
    if (keep)
        self->images = self->captions = -1;
    status = vn_workspace_reserve(w, c, b.B, b.S, b.N, (int)keep, &w->ctx.error);
    w->ctx.be = vnpy_backend();
    if (status == VN_OK && b.B > 0) {
        status = vn_image_forward(w, &self->model, b.x, b.B);
        memcpy(vnpy_data(out_image), normalize ? w->image.unit : w->image.embedding, (size_t)b.B * row);
    }
    if (status == VN_OK && b.S > 0) {
        status = vn_text_forward(w, &self->model, b.id, b.offset, b.S);
        memcpy(vnpy_data(out_text), normalize ? w->text.unit : w->text.embedding, (size_t)b.S * row);
    }
    if (status == VN_OK && keep) {
        self->images = b.B;
        self->captions = b.S;
    }
    Py_END_ALLOW_THREADS
    PyThread_release_lock(self->lock);
    if (status != VN_OK) {
        Py_XDECREF(out_image);
        Py_XDECREF(out_text);
        return vnpy_raise(status, &self->work[keep].ctx.error);
    }
    return Py_BuildValue("NN", out_image != NULL ? out_image : Py_NewRef(Py_None),
                         out_text != NULL ? out_text : Py_NewRef(Py_None));
}

/* The kept batch must not change between the checks and the call, so self is locked by the caller. */
static PyObject *
backward(vnpy_model *self, PyObject *const *args)
{
    vnpy_axes axes = {{0}, {0}};
    const float *dimage = NULL, *dtext = NULL;
    int64_t add;
    vn_error error;
    if (vnpy_int64(args[2], "add", 0, 1, &add) < 0)
        return NULL;
    if (self->images < 0) {
        PyErr_SetString(PyExc_RuntimeError, "backward needs a batch that was encoded with keep=1");
        return NULL;
    }
    axes.name['B' - 'A'] = axes.name['S' - 'A'] = axes.name['E' - 'A'] = "the encoded batch";
    axes.size['B' - 'A'] = self->images;
    axes.size['S' - 'A'] = self->captions;
    axes.size['E' - 'A'] = self->model.config.embed;
    if ((args[0] != Py_None && (dimage = vnpy_in(args[0], "dimage", NPY_FLOAT32, "B,E", &axes)) == NULL) ||
        (args[1] != Py_None && (dtext = vnpy_in(args[1], "dtext", NPY_FLOAT32, "S,E", &axes)) == NULL))
        return NULL;
    vn_status status = vn_model_want_gradients(&self->model, &error);
    if (status != VN_OK)
        return vnpy_raise(status, &error);
    vn_workspace *w = &self->work[1];
    Py_BEGIN_ALLOW_THREADS
    w->ctx.be = vnpy_backend();
    if (!add)
        status = w->ctx.be->rows_zero(&w->ctx, (float *)self->model.gradients.base, self->model.floats);
    if (status == VN_OK && dimage != NULL && self->images > 0)
        status = vn_image_backward(w, &self->model, dimage);
    if (status == VN_OK && dtext != NULL && self->captions > 0)
        status = vn_text_backward(w, &self->model, dtext);
    Py_END_ALLOW_THREADS
    if (status != VN_OK)
        return vnpy_raise(status, &w->ctx.error);
    Py_RETURN_NONE;
}

/* backward(dimage or None, dtext or None, add): gradients of the kept batch replace the model's, or add to them */
PyObject *
vnpy_model_backward(vnpy_model *self, PyObject *const *args, Py_ssize_t n)
{
    if (vnpy_count("backward", n, 3) < 0)
        return NULL;
    vnpy_model_acquire(self);
    PyObject *result = backward(self, args);
    PyThread_release_lock(self->lock);
    return result;
}
