/* Objectives: _core.Loss, a weighted sum of terms with the memory of its last call. */
#include "vnpy.h"

#include <stdatomic.h>

#include "../tiles/vn_tiles.h"
#include "loss_rows.h"
#include "levels.h"

typedef struct loss_object {
    PyObject_HEAD vn_objective objective;
    vn_arena arena; /* grows, never shrinks: after the first step of a training nothing is allocated */
    atomic_flag busy;
} loss_object;

/* One use: (place of the term, weight, the numbers of its parameters, then duplicates and validity). */
static int
read_use(PyObject *object, vn_use *use)
{
    PyObject *numbers;
    int term;
    if (!PyTuple_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a term is (place, weight, numbers), got %s", Py_TYPE(object)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(object, "ifO!;a term is (place, weight, numbers)", &term, &use->weight, &PyTuple_Type,
                          &numbers))
        return -1;
    const vn_term *const *terms = vnpy_backend()->terms;
    int count = 0, params = 0;
    while (terms[count] != NULL)
        count++;
    if (term < 0 || term >= count) {
        PyErr_Format(PyExc_ValueError, "there is no term %d, only %d terms", term, count);
        return -1;
    }
    while (terms[term]->params[params].name != NULL)
        params++;
    if (PyTuple_GET_SIZE(numbers) != params + 2) {
        PyErr_Format(PyExc_ValueError, "%s takes %d numbers, got %zd", terms[term]->name, params + 2,
                     PyTuple_GET_SIZE(numbers));
        return -1;
    }
    use->term = term;
    for (int i = 0; i <= params + 1; i++) {
        float x;
        double low = i < params ? terms[term]->params[i].low : 0;
        double high = i < params ? terms[term]->params[i].high : i == params ? VN_TWINS_OFF : 1;
        if (vnpy_float(PyTuple_GET_ITEM(numbers, i), "a parameter", &x) < 0)
            return -1;
        if (!(x >= (float)low && x <= (float)high)) {
            PyErr_Format(PyExc_ValueError, "parameter %d of %s is out of its range, got %R", i, terms[term]->name,
                         PyTuple_GET_ITEM(numbers, i));
            return -1;
        }
        if (i < params)
            use->param[i] = x;
        else if (i == params)
            use->twins = (int)x;
        else
            use->open = (int)x;
    }
    if ((terms[term]->reads[0].how & VN_BARE) != 0) {
        use->twins = VN_TWINS_OFF;
        use->open = 1;
    }
    return 0;
}

static PyObject *
loss_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *uses;
    if ((kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) || !PyArg_ParseTuple(args, "O!", &PyTuple_Type, &uses)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "Loss takes one tuple of terms");
        return NULL;
    }
    if (PyTuple_GET_SIZE(uses) < 1 || PyTuple_GET_SIZE(uses) > VN_MAX_TERMS) {
        PyErr_Format(PyExc_ValueError, "an objective has 1 to %d terms, got %zd", VN_MAX_TERMS, PyTuple_GET_SIZE(uses));
        return NULL;
    }
    loss_object *self = (loss_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    atomic_flag_clear(&self->busy);
    self->objective.terms = (int)PyTuple_GET_SIZE(uses);
    for (int i = 0; i < self->objective.terms; i++)
        if (read_use(PyTuple_GET_ITEM(uses, i), &self->objective.use[i]) < 0) {
            Py_DECREF(self);
            return NULL;
        }
    return (PyObject *)self;
}

static void
loss_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    vn_arena_release(&((loss_object *)object)->arena);
    type->tp_free(object);
    Py_DECREF(type);
}

static vn_status
compute(const vn_objective *objective, vn_arena *kept, const vn_rows *rows, int backward, vn_record *record,
        vn_error *error)
{
    const vn_backend *be = vnpy_backend();
    vn_tiles tiles;
    vn_arena arena = {0};
    be->tiles_layout(&tiles, &arena, objective, rows);
    if (arena.used > kept->size) {
        vn_arena_release(kept);
        VN_TRY(vn_arena_reserve(kept, arena.used, error));
    }
    arena = *kept;
    be->tiles_layout(&tiles, &arena, objective, rows);
    VN_TRY(be->tiles_statistics(&tiles, error));
    be->tiles_gradients(&tiles, record, backward);
    return VN_OK;
}

static PyObject *
report(const vn_record *r, int terms)
{
    PyObject *values = PyTuple_New(terms);
    for (int i = 0; values != NULL && i < terms; i++) {
        PyObject *x = PyFloat_FromDouble(r->term[i]);
        if (x == NULL)
            Py_CLEAR(values);
        else
            PyTuple_SET_ITEM(values, i, x);
    }
    if (values == NULL)
        return NULL;
    return Py_BuildValue("(dNdddLLL)", r->loss, values, r->dlog_scale, r->dbias, r->pairs, (long long)r->rows,
                         (long long)r->valid, (long long)r->below);
}

#define RUN_ARGUMENTS \
    "sets, valid, rows, group, text_key, neg_key, made, scale, bias, state, notes, gradients or None, tile or None"

/* run(RUN_ARGUMENTS) -> (loss, values of the terms, dlog_scale, dbias, sum of the pairs' cosines, rows, valid
 * negatives, those below the true caption); sets, valid and gradients: a tuple of one array or None each */
static PyObject *
loss_run(PyObject *object, PyObject *const *args, Py_ssize_t n)
{
    loss_object *self = (loss_object *)object;
    vn_rows rows;
    vnpy_made made;
    vn_record record;
    vn_error error;
    vn_status status;
    memset(&rows, 0, sizeof rows);
    if (vnpy_count("run", n, 13) < 0 || vnpy_loss_bind(args, &rows, &made, self->objective.terms) < 0)
        return NULL;
    int backward = args[11] != Py_None;
    Py_BEGIN_ALLOW_THREADS if (!atomic_flag_test_and_set(&self->busy))
    {
        status = compute(&self->objective, &self->arena, &rows, backward, &record, &error);
        atomic_flag_clear(&self->busy);
    }
    else
    { /* another thread computes with the same objective */
        vn_arena own = {0};
        status = compute(&self->objective, &own, &rows, backward, &record, &error);
        vn_arena_release(&own);
    }
    Py_END_ALLOW_THREADS return status == VN_OK ? report(&record, self->objective.terms) : vnpy_raise(status, &error);
}

static PyMethodDef loss_methods[] = {
    {"run", (PyCFunction)(void (*)(void))loss_run, METH_FASTCALL,
     "run(" RUN_ARGUMENTS ")"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot loss_slots[] = {
    {Py_tp_doc, "A weighted sum of terms, with the memory of its last call."},
    {Py_tp_new, loss_new},
    {Py_tp_dealloc, loss_dealloc},
    {Py_tp_methods, loss_methods},
    {0, NULL},
};

static PyType_Spec loss_spec = {
    .name = "vlmneg._core.Loss",
    .basicsize = sizeof(loss_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = loss_slots,
};

PyMethodDef vnpy_loss_methods[] = {{NULL, NULL, 0, NULL}};

int
vnpy_loss_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &loss_spec, NULL);
    if (type == NULL)
        return -1;
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}
