/* What _core.Loss.run is given, as the engine takes it. */
#include "vnpy.h"

#include <math.h>

#include "loss_rows.h"

static const char *const set_name[VN_SETS] = {"image",     "text",          "neg_text",     "neg_image", "pos_text",
                                              "pos_image", "teacher_image", "teacher_text", "score"};
static const char *const set_shape[VN_SETS] = {"B,E", "B,E", "B,K,E", "B,M,E", "B,P,E", "B,Q,E", "B,E", "B,E", "B,S"};
static const char *const mask_name[VN_SETS] = {NULL, NULL, "valid", "neg_image_valid", "pos_text_valid",
                                               "pos_image_valid", NULL, NULL, "valid"};
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
            rows->valid[set] = vnpy_in_or_none(mask, mask_name[set], NPY_UINT8, shape, ax, &ok);
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

/* negative captions of a sample, given ones and made ones */
static int64_t
caption_slots(const vn_rows *rows)
{
    int64_t K = rows->given[VN_NEG_TEXT];
    for (int m = 0; rows->made != NULL && m < rows->made->slots; m++)
        K += rows->made->slot[m].side == VN_TEXT;
    return K;
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
        int64_t least = VN_MAX(caption_slots(rows), 1);
        if (ok && rows->state[u] != NULL && vnpy_size(&own, 'T') < least) {
            PyErr_Format(PyExc_ValueError, "state must hold %lld numbers, got %lld", (long long)least,
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
    int64_t K = caption_slots(rows);
    if (notes == Py_None)
        return 0;
    if ((rows->notes = vnpy_inout(notes, "notes", NPY_FLOAT64, "K,5", &own)) == NULL)
        return -1;
    if (vnpy_size(&own, 'K') == K)
        return 0;
    PyErr_Format(PyExc_ValueError, "notes must have %lld rows, got %lld", (long long)K,
                 (long long)vnpy_size(&own, 'K'));
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

int
vnpy_loss_bind(PyObject *const *args, vn_rows *rows, vnpy_made *made, int terms)
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
    long long height = VN_TILE_ROWS, width = VN_TILE_COLS;
    if (args[12] != Py_None && !PyTuple_Check(args[12])) {
        PyErr_SetString(PyExc_TypeError, "tile must be (rows, columns) or None");
        return -1;
    }
    if (args[12] != Py_None &&
        !PyArg_ParseTuple(args[12], "LL;tile is (rows, columns)", &height, &width))
        return -1;
    rows->tile_rows = height;
    rows->tile_cols = width;
    if (rows->tile_rows < 1 || rows->tile_rows > VN_TILE_ROWS || rows->tile_cols < 1 ||
        rows->tile_cols > VN_TILE_COLS) {
        PyErr_Format(PyExc_ValueError, "a tile has 1 to %d rows and 1 to %d columns", VN_TILE_ROWS, VN_TILE_COLS);
        return -1;
    }
    if (check_sizes(rows, args[7]) < 0 || bind_state(args[9], terms, rows) < 0 || bind_notes(args[10], rows) < 0)
        return -1;
    return args[11] == Py_None ? 0 : bind_gradients(args[11], rows, &ax);
}
