/* Embedding negatives: the list of generators, and made rows by themselves. */
#include "vnpy.h"

#include "../tiles/vn_tiles.h"
#include "made.h"
#include "levels.h"

/* slot m of count */
static int
read_slot(PyObject *object, vn_made_slot *slot, int m, int count)
{
    int maker, side;
    long long place;
    float *p = slot->param;
    if (!PyTuple_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a made slot is (maker, side, slot, 3 numbers, first, choices, weight), got %s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(object, "iiL(fff)iif;a made slot is (maker, side, slot, 3 numbers, first, choices, weight)",
                          &maker, &side, &place, p, p + 1, p + 2, &slot->first, &slot->choices, &slot->weight))
        return -1;
    slot->maker = vn_embed_listed(maker, &slot->stream);
    if (slot->maker == NULL || side < VN_IMAGE || side > VN_TEXT || place < 0 || place >= VN_MAX_MADE) {
        PyErr_SetString(PyExc_ValueError, "a made slot has a maker of made_listed(), side 0 or 1 and a slot below 64");
        return -1;
    }
    if (slot->first < 0 || slot->first > m || slot->choices < 1 || slot->choices > count - slot->first ||
        m >= slot->first + slot->choices || !(slot->weight > 0.0f)) {
        PyErr_SetString(PyExc_ValueError, "alternatives are the slots from first on, weights above 0");
        return -1;
    }
    slot->side = side;
    slot->slot = place;
    slot->number = (uint32_t)m;
    return 0;
}

const vn_made *
vnpy_made_read(PyObject *object, vnpy_axes *ax, vnpy_made *out, int *ok)
{
    PyObject *seed, *rows, *slots;
    if (object == Py_None)
        return NULL;
    *ok = 0;
    if (!PyTuple_Check(object)) {
        PyErr_Format(PyExc_TypeError, "made is None or (seed, rows, slots), got %s", Py_TYPE(object)->tp_name);
        return NULL;
    }
    if (!PyArg_ParseTuple(object, "OOO!;made is (seed, rows, slots)", &seed, &rows, &PyTuple_Type, &slots) ||
        vnpy_uint64(seed, "seed", &out->made.seed) < 0 ||
        (out->made.row = vnpy_in(rows, "rows", NPY_UINT64, "B", ax)) == NULL)
        return NULL;
    if (PyTuple_GET_SIZE(slots) > VN_MAX_MADE) {
        PyErr_Format(PyExc_ValueError, "at most %d negatives a sample can be made, got %zd", VN_MAX_MADE,
                     PyTuple_GET_SIZE(slots));
        return NULL;
    }
    out->made.slots = (int)PyTuple_GET_SIZE(slots);
    out->made.slot = out->slot;
    for (int m = 0; m < out->made.slots; m++)
        if (read_slot(PyTuple_GET_ITEM(slots, m), &out->slot[m], m, out->made.slots) < 0)
            return NULL;
    *ok = 1;
    return &out->made;
}

/* The first six arguments of all: image, text, neg_text, valid, group, text_key; then made. */
static int
bind(PyObject *const *args, vn_rows *rows, vnpy_axes *ax, vnpy_made *made)
{
    int ok = 1;
    if ((rows->x[VN_IMAGE] = vnpy_in(args[0], "image", NPY_FLOAT32, "B,E", ax)) == NULL ||
        (rows->x[VN_TEXT] = vnpy_in(args[1], "text", NPY_FLOAT32, "B,E", ax)) == NULL)
        return -1;
    rows->x[VN_NEG_TEXT] = vnpy_in_or_none(args[2], "neg_text", NPY_FLOAT32, "B,K,E", ax, &ok);
    if (ok)
        rows->valid[VN_NEG_TEXT] = vnpy_in_or_none(args[3], "valid", NPY_UINT8, "B,K", ax, &ok);
    if (ok)
        rows->group = vnpy_in_or_none(args[4], "group", NPY_INT64, "B", ax, &ok);
    if (ok)
        rows->text_key = vnpy_in_or_none(args[5], "text_key", NPY_INT64, "B", ax, &ok);
    if (ok)
        rows->made = vnpy_made_read(args[6], ax, made, &ok);
    if (!ok)
        return -1;
    rows->B = vnpy_size(ax, 'B');
    rows->E = vnpy_size(ax, 'E');
    rows->given[VN_IMAGE] = rows->given[VN_TEXT] = 1;
    rows->given[VN_NEG_TEXT] = rows->x[VN_NEG_TEXT] != NULL ? vnpy_size(ax, 'K') : 0;
    rows->scale = 1.0f;
    if (rows->made == NULL || rows->B < 1 || rows->E < 1 || rows->B > INT32_MAX / (VN_MAX_MADE + 1)) {
        PyErr_SetString(PyExc_ValueError, "made rows need slots and 1 to 2^24 samples of 1 or more numbers");
        return -1;
    }
    ax->size['S' - 'A'] = rows->made->slots;
    ax->name['S' - 'A'] = "made";
    return 0;
}

typedef struct call {
    vn_rows rows;
    const vn_made_rows *out;
    const float *drow;
    float *cosine;
    int anchor;
} call;

static vn_status
compute(const call *c, vn_error *error)
{
    static const vn_objective nothing = {0};
    const vn_backend *be = vnpy_backend();
    vn_tiles tiles;
    vn_arena count = {0}, arena = {0};
    be->tiles_layout(&tiles, &count, &nothing, &c->rows);
    VN_TRY(vn_arena_reserve(&arena, count.used, error));
    be->tiles_layout(&tiles, &arena, &nothing, &c->rows);
    vn_status status = be->tiles_statistics(&tiles, error);
    if (status == VN_OK && c->out != NULL)
        be->made_forward(&tiles, c->out);
    if (status == VN_OK && c->drow != NULL)
        be->made_backward(&tiles, c->drow);
    if (status == VN_OK && c->cosine != NULL)
        be->made_cosines(&tiles, c->cosine, c->anchor);
    vn_arena_release(&arena);
    return status;
}

/* 0, or -1 with an exception */
static int
run(const call *c)
{
    vn_error error;
    vn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = compute(c, &error);
    Py_END_ALLOW_THREADS
    return status == VN_OK ? 0 : (vnpy_raise(status, &error), -1);
}

/* made_rows(image, text, neg_text, valid, group, text_key, made) -> (rows (B,S,E), valid, mu, partner (B,S)) */
static PyObject *
made_rows(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes ax = {0};
    vnpy_made made;
    call c = {0};
    (void)module;
    if (vnpy_count("made_rows", n, 7) < 0 || bind(args, &c.rows, &ax, &made) < 0)
        return NULL;
    PyObject *row = vnpy_out(NPY_FLOAT32, "B,S,E", &ax), *valid = vnpy_out(NPY_UINT8, "B,S", &ax);
    PyObject *mu = vnpy_out(NPY_FLOAT32, "B,S", &ax), *partner = vnpy_out(NPY_INT32, "B,S", &ax);
    PyObject *all = NULL;
    if (row != NULL && valid != NULL && mu != NULL && partner != NULL) {
        vn_made_rows out = {vnpy_data(row), vnpy_data(mu), vnpy_data(valid), vnpy_data(partner)};
        c.out = &out;
        if (run(&c) == 0)
            all = PyTuple_Pack(4, row, valid, mu, partner);
    }
    Py_XDECREF(row);
    Py_XDECREF(valid);
    Py_XDECREF(mu);
    Py_XDECREF(partner);
    return all;
}

/* made_backward(..., drows (B,S,E), dimage, dtext, dneg_text): fills the last three */
static PyObject *
made_backward(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes ax = {0};
    vnpy_made made;
    call c = {0};
    int ok = 1;
    (void)module;
    if (vnpy_count("made_backward", n, 11) < 0 || bind(args, &c.rows, &ax, &made) < 0 ||
        (c.drow = vnpy_in(args[7], "drows", NPY_FLOAT32, "B,S,E", &ax)) == NULL ||
        (c.rows.dx[VN_IMAGE] = vnpy_inout(args[8], "dimage", NPY_FLOAT32, "B,E", &ax)) == NULL ||
        (c.rows.dx[VN_TEXT] = vnpy_inout(args[9], "dtext", NPY_FLOAT32, "B,E", &ax)) == NULL)
        return NULL;
    if (c.rows.x[VN_NEG_TEXT] != NULL)
        ok = (c.rows.dx[VN_NEG_TEXT] = vnpy_inout(args[10], "dneg_text", NPY_FLOAT32, "B,K,E", &ax)) != NULL;
    if (!ok || run(&c) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* made_cosines(..., anchor): with the image (0) or the caption (1) of their sample -> (B,S) */
static PyObject *
made_cosines(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    vnpy_axes ax = {0};
    vnpy_made made;
    call c = {0};
    int64_t anchor;
    (void)module;
    if (vnpy_count("made_cosines", n, 8) < 0 || bind(args, &c.rows, &ax, &made) < 0 ||
        vnpy_int64(args[7], "anchor", VN_IMAGE, VN_TEXT, &anchor) < 0)
        return NULL;
    PyObject *cosine = vnpy_out(NPY_FLOAT32, "B,S", &ax);
    if (cosine == NULL)
        return NULL;
    c.anchor = (int)anchor;
    c.cosine = vnpy_data(cosine);
    if (run(&c) < 0)
        Py_CLEAR(cosine);
    return cosine;
}

/* made_listed() -> [(name, doc, stream), ...] */
static PyObject *
made_listed(PyObject *module, PyObject *none)
{
    PyObject *list = PyList_New(0);
    const vn_embed_maker *maker;
    uint32_t stream;
    (void)module, (void)none;
    for (int i = 0; list != NULL && (maker = vn_embed_listed(i, &stream)) != NULL; i++) {
        PyObject *item = Py_BuildValue("(ssI)", maker->name, maker->doc, (unsigned int)stream);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

#define FAST(name, doc) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, doc}
PyMethodDef vnpy_made_methods[] = {
    FAST(made_rows, "made_rows(image, text, neg_text, valid, group, text_key, made) -> (rows, valid, mu, partner)"),
    FAST(made_backward, "made_backward(..., made, drows, dimage, dtext, dneg_text): fills the last three"),
    FAST(made_cosines, "made_cosines(..., made, anchor) -> cosines with the sample's image (0) or caption (1)"),
    {"made_listed", made_listed, METH_NOARGS, "made_listed() -> [(name, doc, stream)]"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_made_exec(PyObject *module)
{
    (void)module;
    return 0;
}
