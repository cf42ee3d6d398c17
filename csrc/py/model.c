/* _core.Model: weights, gradients and two workspaces, one for training and one for encoding. */
#include "vnpy.h"

#include <pythread.h>
#include <string.h>

#include "../model/vn_clip.h"
#include "levels.h"

typedef struct model_object {
    PyObject_HEAD
    vn_model model;
    vn_workspace work[2]; /* [1] keeps activations for backward */
    int64_t images, captions; /* in the kept batch; -1: none is kept */
    PyThread_type_lock lock;  /* a workspace serves one call at a time */
} model_object;

static void
acquire(model_object *self)
{
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static int
read_sizes(PyObject *tuple, int64_t *size)
{
    static const char *names[] = {"embed", "image_size", "patch", "context", "vocab", "image_width", "image_heads",
                                  "image_layers", "image_mlp", "image_act", "text_width", "text_heads", "text_layers",
                                  "text_mlp", "text_act"};
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 15) {
        PyErr_SetString(PyExc_TypeError, "sizes must be a tuple of 15 integers");
        return -1;
    }
    for (Py_ssize_t i = 0; i < 15; i++)
        if (vnpy_int64(PyTuple_GET_ITEM(tuple, i), names[i], 1, 1 << 24, &size[i]) < 0)
            return -1;
    return 0;
}

static PyObject *
model_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *sizes;
    int64_t s[15];
    vn_error error;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Model takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O:Model", &sizes) || read_sizes(sizes, s) < 0)
        return NULL;
    vn_clip_config config = {s[0], s[1], s[2], s[3], s[4], {s[5], s[6], s[7], s[8], (vn_act)s[9]},
                             {s[10], s[11], s[12], s[13], (vn_act)s[14]}};
    model_object *self = (model_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->captions = self->images = -1;
    self->lock = PyThread_allocate_lock();
    vn_status status = vn_model_init(&self->model, &config, &error);
    if (status != VN_OK || self->lock == NULL) {
        Py_DECREF(self);
        return status != VN_OK ? vnpy_raise(status, &error) : PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
model_dealloc(model_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    vn_workspace_free(&self->work[0]);
    vn_workspace_free(&self->work[1]);
    vn_model_free(&self->model);
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    type->tp_free(self);
    Py_DECREF(type);
}

/* a flat view that keeps the model alive */
static PyObject *
view(model_object *self, const vn_arena *arena)
{
    npy_intp size = (npy_intp)self->model.floats;
    PyObject *array = PyArray_SimpleNewFromData(1, &size, NPY_FLOAT32, arena->base);
    if (array == NULL)
        return NULL;
    Py_INCREF(self);
    if (PyArray_SetBaseObject((PyArrayObject *)array, (PyObject *)self) < 0) {
        Py_DECREF(array);
        return NULL;
    }
    return array;
}

static PyObject *
model_weights(model_object *self, PyObject *none)
{
    (void)none;
    return view(self, &self->model.weights);
}

static PyObject *
model_gradients(model_object *self, PyObject *none)
{
    vn_error error;
    (void)none;
    vn_status status = vn_model_want_gradients(&self->model, &error);
    return status == VN_OK ? view(self, &self->model.gradients) : vnpy_raise(status, &error);
}

static PyObject *
model_tensors(model_object *self, PyObject *none)
{
    (void)none;
    PyObject *list = PyList_New(self->model.tensors);
    for (int64_t i = 0; list != NULL && i < self->model.tensors; i++) {
        const vn_tensor *t = &self->model.list[i];
        PyObject *shape = PyTuple_New(t->rank), *item = NULL;
        for (int k = 0; shape != NULL && k < t->rank; k++)
            PyTuple_SET_ITEM(shape, k, PyLong_FromLongLong(t->dims[k]));
        if (shape != NULL)
            item = Py_BuildValue("sNL", t->name, shape, (long long)t->offset);
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

static PyObject *
model_start(model_object *self, PyObject *arg)
{
    uint64_t seed;
    if (vnpy_uint64(arg, "seed", &seed) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    vn_clip_start((float *)self->model.weights.base, self->model.list, self->model.tensors, seed);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
model_reserve(model_object *self, PyObject *const *args, Py_ssize_t n)
{
    int64_t images, captions, nodes, keep;
    vn_error error;
    if (vnpy_count("reserve", n, 4) < 0 || vnpy_int64(args[0], "images", 0, 1 << 24, &images) < 0 ||
        vnpy_int64(args[1], "captions", 0, 1 << 24, &captions) < 0 ||
        vnpy_int64(args[2], "tokens", 0, 1 << 30, &nodes) < 0 || vnpy_int64(args[3], "keep", 0, 1, &keep) < 0)
        return NULL;
    acquire(self);
    if (keep)
        self->images = self->captions = -1;
    vn_workspace *w = &self->work[keep];
    vn_status status = vn_workspace_reserve(w, &self->model.config, images, captions, nodes, (int)keep, &error);
    size_t bytes = w->arena.size;
    PyThread_release_lock(self->lock);
    return status == VN_OK ? PyLong_FromSize_t(bytes) : vnpy_raise(status, &error);
}

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
static PyObject *
model_encode(model_object *self, PyObject *const *args, Py_ssize_t n)
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
    acquire(self);
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

/* backward(dimage or None, dtext or None): gradients of the kept batch replace those of the model */
static PyObject *
model_backward(model_object *self, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes axes = {{0}, {0}};
    const float *dimage = NULL, *dtext = NULL;
    vn_error error;
    if (vnpy_count("backward", n, 2) < 0)
        return NULL;
    if (self->images < 0) {
        PyErr_SetString(PyExc_RuntimeError, "backward needs a batch that was encoded with keep=1");
        return NULL;
    }
    const char *who = "the encoded batch";
    axes.name['B' - 'A'] = axes.name['S' - 'A'] = axes.name['E' - 'A'] = who;
    axes.size['B' - 'A'] = self->images;
    axes.size['S' - 'A'] = self->captions;
    axes.size['E' - 'A'] = self->model.config.embed;
    if ((args[0] != Py_None && (dimage = vnpy_in(args[0], "dimage", NPY_FLOAT32, "B,E", &axes)) == NULL) ||
        (args[1] != Py_None && (dtext = vnpy_in(args[1], "dtext", NPY_FLOAT32, "S,E", &axes)) == NULL))
        return NULL;
    vn_status status = vn_model_want_gradients(&self->model, &error);
    if (status != VN_OK)
        return vnpy_raise(status, &error);
    acquire(self);
    Py_BEGIN_ALLOW_THREADS
    vn_workspace *w = &self->work[1];
    w->ctx.be = vnpy_backend();
    status = w->ctx.be->rows_zero(&w->ctx, (float *)self->model.gradients.base, self->model.floats);
    if (status == VN_OK && dimage != NULL && self->images > 0)
        status = vn_image_backward(w, &self->model, dimage);
    if (status == VN_OK && dtext != NULL && self->captions > 0)
        status = vn_text_backward(w, &self->model, dtext);
    Py_END_ALLOW_THREADS
    PyThread_release_lock(self->lock);
    if (status != VN_OK)
        return vnpy_raise(status, &self->work[1].ctx.error);
    Py_RETURN_NONE;
}

#define FAST(f) (PyCFunction)(void (*)(void))(f)
static PyMethodDef methods[] = {
    {"weights", (PyCFunction)model_weights, METH_NOARGS, "weights() -> flat float32 view"},
    {"gradients", (PyCFunction)model_gradients, METH_NOARGS, "gradients() -> flat float32 view"},
    {"tensors", (PyCFunction)model_tensors, METH_NOARGS, "tensors() -> list of (name, shape, offset)"},
    {"start", (PyCFunction)model_start, METH_O, "start(seed): CLIP's initialisation"},
    {"reserve", FAST(model_reserve), METH_FASTCALL, "reserve(images, captions, tokens, keep) -> bytes"},
    {"encode", FAST(model_encode), METH_FASTCALL, "encode(x, ids, offsets, keep, normalize) -> (image, text)"},
    {"backward", FAST(model_backward), METH_FASTCALL, "backward(dimage, dtext)"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Weights and workspaces of one CLIP; use vlmneg.Clip."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"vlmneg._core.Model", sizeof(model_object), 0, Py_TPFLAGS_DEFAULT, slots};

PyMethodDef vnpy_model_methods[] = {{NULL, NULL, 0, NULL}};

int
vnpy_model_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (type == NULL)
        return -1;
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}
