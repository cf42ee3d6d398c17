/* Objectives: _core.Loss, a weighted sum of terms with the memory of its last call. */
#include "vnpy.h"

#include <math.h>
#include <stdatomic.h>

#include "../tiles/vn_tiles.h"
#include "made.h"
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

static const char *const set_name[VN_SETS] = {"image",     "text",          "neg_text",     "neg_image", "pos_text",
                                              "pos_image", "teacher_image", "teacher_text", "score"};
static const char *const set_shape[VN_SETS] = {"B,E", "B,E", "B,K,E", "B,M,E", "B,P,E", "B,Q,E", "B,E", "B,E", "B,S"};
static const char slots[VN_SETS] = "11KMPQ11S";

/* a tuple of one entry a set, NULL with an error set */
static PyObject *
entry(PyObject *tuple, const char *name, int set)
{
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != VN_SETS)
        return PyErr_Format(PyExc_TypeError, "%s must be a tuple of %d arrays or None", name, VN_SETS);
    return PyTuple_GET_ITEM(tuple, set);
}

static int
bind_sets(PyObject *sets, PyObject *masks, vn_rows *rows, vnpy_axes *ax)
{
    for (int set = 0; set < VN_SETS; set++) {
        PyObject *given = entry(sets, "sets", set), *mask = given != NULL ? entry(masks, "valid", set) : NULL;
        const char shape[] = {'B', ',', slots[set], 0};
        int ok = 1;
        if (mask == NULL)
            return -1;
        rows->x[set] = set <= VN_TEXT ? vnpy_in(given, set_name[set], NPY_FLOAT32, set_shape[set], ax)
                                      : vnpy_in_or_none(given, set_name[set], NPY_FLOAT32, set_shape[set], ax, &ok);
        if (!ok || (set <= VN_TEXT && rows->x[set] == NULL))
            return -1;
        if (slots[set] != '1' && rows->x[set] != NULL)
            rows->valid[set] = vnpy_in_or_none(mask, set == VN_NEG_TEXT ? "valid" : "a mask", NPY_UINT8, shape, ax, &ok);
        if (!ok)
            return -1;
        rows->given[set] = rows->x[set] == NULL ? 0 : slots[set] == '1' ? 1 : vnpy_size(ax, slots[set]);
    }
    return 0;
}

static int
bind_gradients(PyObject *gradients, vn_rows *rows, vnpy_axes *ax)
{
    for (int set = 0; set < VN_SETS; set++) {
        PyObject *room = entry(gradients, "gradients", set);
        if (room == NULL)
            return -1;
        if (rows->x[set] == NULL || set == VN_TEACHER_IMAGE || set == VN_TEACHER_TEXT)
            continue;
        if ((rows->dx[set] = vnpy_inout(room, set_name[set], NPY_FLOAT32, set_shape[set], ax)) == NULL)
            return -1;
    }
    return 0;
}

/* what the terms remember: a tuple of an array or None each */
static int
bind_state(PyObject *state, int terms, vn_rows *rows)
{
    if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) != terms) {
        PyErr_Format(PyExc_TypeError, "state must be a tuple of %d arrays or None", terms);
        return -1;
    }
    for (int u = 0; u < terms; u++) {
        vnpy_axes own = {{0}, {0}};
        int ok = 1;
        rows->state[u] = vnpy_in_or_none(PyTuple_GET_ITEM(state, u), "state", NPY_FLOAT32, "T", &own, &ok);
        int64_t least = rows->given[VN_NEG_TEXT] + (rows->made != NULL ? rows->made->slots : 0);
        if (ok && rows->state[u] != NULL && vnpy_size(&own, 'T') < VN_MAX(least, 1)) {
            PyErr_Format(PyExc_ValueError, "state must hold %lld numbers, got %lld", (long long)VN_MAX(least, 1),
                         (long long)vnpy_size(&own, 'T'));
            return -1;
        }
        if (!ok)
            return -1;
    }
    return 0;
}

static int
bind_notes(PyObject *notes, vn_rows *rows)
{
    vnpy_axes own = {{0}, {0}};
    int64_t K = rows->given[VN_NEG_TEXT];
    if (notes == Py_None)
        return 0;
    for (int m = 0; rows->made != NULL && m < rows->made->slots; m++)
        K += rows->made->slot[m].side == VN_TEXT;
    if ((rows->notes = vnpy_inout(notes, "notes", NPY_FLOAT64, "K,5", &own)) == NULL)
        return -1;
    if (vnpy_size(&own, 'K') == K)
        return 0;
    PyErr_Format(PyExc_ValueError, "notes must have %lld rows, got %lld", (long long)K, (long long)vnpy_size(&own, 'K'));
    return -1;
}

static int
check_sizes(vn_rows *rows, PyObject *scale)
{
    int64_t most = 1;
    if (!(rows->scale > 0.0f && isfinite(rows->scale))) {
        PyErr_Format(PyExc_ValueError, "scale must be a finite number above 0, got %R", scale);
        return -1;
    }
    if (!isfinite(rows->bias)) {
        PyErr_SetString(PyExc_ValueError, "bias must be a finite number");
        return -1;
    }
    for (int set = 0; set < VN_SETS; set++)
        most = VN_MAX(most, rows->given[set]);
    if (rows->B < 1 || rows->E < 1 || rows->B > INT32_MAX / (most + VN_MAX_MADE)) {
        PyErr_Format(PyExc_ValueError, "an objective needs 1 to 2^31 rows of 1 or more numbers, got (%lld, %lld)",
                     (long long)rows->B, (long long)rows->E);
        return -1;
    }
    if (rows->x[VN_SCORE] != NULL && rows->given[VN_SCORE] != rows->given[VN_NEG_TEXT] + 1) {
        PyErr_Format(PyExc_ValueError, "score must have %lld columns, the caption and each negative, got %lld",
                     (long long)rows->given[VN_NEG_TEXT] + 1, (long long)rows->given[VN_SCORE]);
        return -1;
    }
    return 0;
}

#define RUN_ARGUMENTS \
    "sets, valid, rows, group, text_key, neg_key, made, scale, bias, state, notes, gradients or None, tile or None"

static int
bind(PyObject *const *args, vn_rows *rows, vnpy_made *made, int terms)
{
    vnpy_axes ax = {{0}, {0}};
    int ok = 1;
    if (bind_sets(args[0], args[1], rows, &ax) < 0)
        return -1;
    rows->exists = vnpy_in_or_none(args[2], "rows", NPY_UINT8, "B", &ax, &ok);
    if (ok)
        rows->group = vnpy_in_or_none(args[3], "group", NPY_INT64, "B", &ax, &ok);
    if (ok)
        rows->text_key = vnpy_in_or_none(args[4], "text_key", NPY_INT64, "B", &ax, &ok);
    if (ok)
        rows->neg_key = vnpy_in_or_none(args[5], "neg_key", NPY_INT64, "B,K", &ax, &ok);
    if (ok)
        rows->made = vnpy_made_read(args[6], &ax, made, &ok);
    if (!ok || vnpy_float(args[7], "scale", &rows->scale) < 0 || vnpy_float(args[8], "bias", &rows->bias) < 0)
        return -1;
    rows->B = vnpy_size(&ax, 'B');
    rows->E = vnpy_size(&ax, 'E');
    rows->tile_rows = VN_TILE_ROWS;
    rows->tile_cols = VN_TILE_COLS;
    if (args[12] != Py_None && (!PyArg_ParseTuple(args[12], "LL;tile is (rows, columns)", &rows->tile_rows,
                                                  &rows->tile_cols)))
        return -1;
    if (rows->tile_rows < 1 || rows->tile_rows > VN_TILE_ROWS || rows->tile_cols < 1 ||
        rows->tile_cols > VN_TILE_COLS) {
        PyErr_Format(PyExc_ValueError, "a tile has 1 to %d rows and 1 to %d columns", VN_TILE_ROWS, VN_TILE_COLS);
        return -1;
    }
    if (check_sizes(rows, args[7]) < 0 || bind_state(args[9], terms, rows) < 0 || bind_notes(args[10], rows) < 0)
        return -1;
    return args[11] == Py_None ? 0 : bind_gradients(args[11], rows, &ax);
}

/* run(RUN_ARGUMENTS) -> (loss, values of the terms, dlog_scale, dbias, sum of the pairs' cosines, rows, valid negatives,
 * those below the true caption); sets, valid and gradients: a tuple of one array or None each */
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
    if (vnpy_count("run", n, 13) < 0 || bind(args, &rows, &made, self->objective.terms) < 0)
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
