/* Strings as the core reads them. */
#include "spans.h"

int
vnpy_tuple(PyObject *object, const char *name)
{
    if (PyTuple_Check(object))
        return 0;
    PyErr_Format(PyExc_TypeError, "%s must be a tuple, got %s", name, Py_TYPE(object)->tp_name);
    return -1;
}

int
vnpy_spans(PyObject *tuple, const char *name, Py_ssize_t longest, vn_span *out)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *s = PyTuple_GET_ITEM(tuple, i);
        Py_ssize_t bytes;
        if (!PyUnicode_Check(s)) {
            PyErr_Format(PyExc_TypeError, "%s[%zd] must be a str, got %s", name, i, Py_TYPE(s)->tp_name);
            return -1;
        }
        out[i].text = PyUnicode_AsUTF8AndSize(s, &bytes);
        if (out[i].text == NULL)
            return -1;
        if (bytes > longest) {
            PyErr_Format(PyExc_ValueError, "%s[%zd] must be shorter than 2^31 bytes, got %zd", name, i, bytes);
            return -1;
        }
        out[i].bytes = bytes;
    }
    return 0;
}
