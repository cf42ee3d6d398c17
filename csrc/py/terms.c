/* The table of loss terms. */
#include "vnpy.h"

#include "../tiles/vn_tiles.h"
#include "levels.h"

/* every term has these two, last: the masks are the engine's */
static const vn_param duplicates = {
    "duplicates",  "mask|soft|off", VN_TWINS_MASK,
    VN_TWINS_MASK, VN_TWINS_OFF,    "captions true for another sample's image: left out, further targets, negatives"};

static const vn_param validity = {"validity", "mask|off", 0, 0, 1,
                                  "slots that hold no negative: left out, or read all the same, as some releases do"};

static int
append(PyObject *list, PyObject *item)
{
    int status = item != NULL ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return status;
}

static int
append_param(PyObject *list, const vn_param *p)
{
    return append(list, Py_BuildValue("(szddds)", p->name, p->choices, p->start, p->low, p->high, p->doc));
}

static int
append_term(PyObject *list, const vn_term *term)
{
    PyObject *params = PyList_New(0);
    int status = params != NULL ? 0 : -1;
    for (const vn_param *p = term->params; status == 0 && p->name != NULL; p++)
        status = append_param(params, p);
    if (status == 0)
        status = append_param(params, &duplicates);
    if (status == 0)
        status = append_param(params, &validity);
    PyObject *reads = PyList_New(0);
    status = reads != NULL ? status : -1;
    for (const vn_reading *r = term->reads; status == 0 && r->how != 0; r++)
        status = append(reads, Py_BuildValue("(iiiiii)", r->rows, r->cols, r->param - 1, r->value, r->param2 - 1,
                                              r->value2));
    if (status == 0)
        status = append(list, Py_BuildValue("(ssOOii)", term->name, term->doc, params, reads, (int)term->memory,
                                            term->scaling == VN_BIASED));
    Py_XDECREF(params);
    Py_XDECREF(reads);
    return status;
}

/* loss_terms() -> list of (name, doc, [(param, choices or None, start, low, high, doc), ...], [(rows, cols, place of a
 * parameter or -1, its value for which they are read, and again), ...], memory: 0 none, 1 margins, 2 the last mean of
 * the pairs, 1 where the logits have the bias); sets in the order of vn_term.h */
static PyObject *
loss_terms(PyObject *module, PyObject *none)
{
    PyObject *list = PyList_New(0);
    (void)module, (void)none;
    for (const vn_term *const *term = vnpy_backend()->terms; list != NULL && *term != NULL; term++)
        if (append_term(list, *term) < 0)
            Py_CLEAR(list);
    return list;
}

PyMethodDef vnpy_terms_methods[] = {
    {"loss_terms", loss_terms, METH_NOARGS, "loss_terms() -> list of (name, doc, parameters, readings)"},
    {NULL, NULL, 0, NULL},
};

int
vnpy_terms_exec(PyObject *module)
{
    (void)module;
    return 0;
}
