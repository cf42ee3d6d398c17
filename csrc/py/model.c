/* _core.Model: weights, gradients and two workspaces, one for training and one for encoding. */
#include "vnpy.h"

#include "model.h"

static int
read_sizes(PyObject *tuple, int64_t *size)
{
    static const struct {
        const char *name;
        int64_t limit; /* as in vlmneg/config.py: what is below cannot overflow */
    } field[] = {{"embed", 1 << 16},        {"image_size", 1 << 14},  {"patch", 1 << 14},
                 {"context", 1 << 16},      {"vocab", 1 << 24},       {"image_width", 1 << 16},
                 {"image_heads", 1 << 12},  {"image_layers", 1 << 10}, {"image_mlp", 1 << 20},
                 {"image_act", VN_ACT_GELU}, {"text_width", 1 << 16},  {"text_heads", 1 << 12},
                 {"text_layers", 1 << 10},  {"text_mlp", 1 << 20},    {"text_act", VN_ACT_GELU}, {"bias", 1}};
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 16) {
        PyErr_SetString(PyExc_TypeError, "sizes must be a tuple of 16 integers");
        return -1;
    }
    for (Py_ssize_t i = 0; i < 16; i++)
        if (vnpy_int64(PyTuple_GET_ITEM(tuple, i), field[i].name, i < 15, field[i].limit, &size[i]) < 0)
            return -1;
    if (size[1] % size[2] != 0 || size[5] % size[6] != 0 || size[10] % size[11] != 0) {
        PyErr_SetString(PyExc_ValueError, "patch must divide image_size, and heads their width");
        return -1;
    }
    return 0;
}

static PyObject *
model_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *sizes;
    int64_t s[16];
    vn_error error;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Model takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O:Model", &sizes) || read_sizes(sizes, s) < 0)
        return NULL;
    vn_clip_config config = {s[0], s[1], s[2], s[3], s[4], {s[5], s[6], s[7], s[8], (vn_act)s[9]},
                             {s[10], s[11], s[12], s[13], (vn_act)s[14]}, s[15]};
    vnpy_model *self = (vnpy_model *)type->tp_alloc(type, 0);
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
model_dealloc(vnpy_model *self)
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
view(vnpy_model *self, const vn_arena *arena)
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
model_weights(vnpy_model *self, PyObject *none)
{
    (void)none;
    return view(self, &self->model.weights);
}

static PyObject *
model_gradients(vnpy_model *self, PyObject *none)
{
    vn_error error;
    (void)none;
    vn_status status = vn_model_want_gradients(&self->model, &error);
    return status == VN_OK ? view(self, &self->model.gradients) : vnpy_raise(status, &error);
}

static PyObject *
model_tensors(vnpy_model *self, PyObject *none)
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
model_start(vnpy_model *self, PyObject *arg)
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
model_reserve(vnpy_model *self, PyObject *const *args, Py_ssize_t n)
{
    int64_t images, captions, nodes, keep, rows;
    vn_error error;
    if (vnpy_count("reserve", n, 5) < 0 || vnpy_int64(args[0], "images", 0, 1 << 24, &images) < 0 ||
        vnpy_int64(args[1], "captions", 0, 1 << 24, &captions) < 0 ||
        vnpy_int64(args[2], "tokens", 0, 1 << 30, &nodes) < 0 || vnpy_int64(args[3], "keep", 0, 1, &keep) < 0 ||
        vnpy_int64(args[4], "rows", 0, 1, &rows) < 0)
        return NULL;
    vnpy_model_acquire(self);
    if (keep)
        self->images = self->captions = -1;
    vn_workspace *w = &self->work[keep];
    vn_status status = vn_workspace_reserve(w, &self->model.config, images, captions, nodes, (int)keep, (int)rows,
                                            &error);
    size_t bytes = w->arena.size;
    PyThread_release_lock(self->lock);
    return status == VN_OK ? PyLong_FromSize_t(bytes) : vnpy_raise(status, &error);
}

#define FAST(f) (PyCFunction)(void (*)(void))(f)
static PyMethodDef methods[] = {
    {"weights", (PyCFunction)model_weights, METH_NOARGS, "weights() -> flat float32 view"},
    {"gradients", (PyCFunction)model_gradients, METH_NOARGS, "gradients() -> flat float32 view"},
    {"tensors", (PyCFunction)model_tensors, METH_NOARGS, "tensors() -> list of (name, shape, offset)"},
    {"start", (PyCFunction)model_start, METH_O, "start(seed): CLIP's initialisation"},
    {"reserve", FAST(model_reserve), METH_FASTCALL, "reserve(images, captions, tokens, keep, rows) -> bytes"},
    {"encode", FAST(vnpy_model_encode), METH_FASTCALL,
     "encode(x, ids, offsets, keep, normalize, tokens) -> (image, text, patches, tokens)"},
    {"backward", FAST(vnpy_model_backward), METH_FASTCALL, "backward(dimage, dtext, add, dpatches, dtokens)"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Weights and workspaces of one CLIP; use vlmneg.Clip."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"vlmneg._core.Model", sizeof(vnpy_model), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                           slots};

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
