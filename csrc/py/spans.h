/* Strings as the core reads them: UTF-8, borrowed from Python for the call. */
#ifndef VNPY_SPANS_H
#define VNPY_SPANS_H

#include "vnpy.h"

#include "../text/vn_text.h"

/* 0 when it is a tuple, -1 with TypeError. Tuples, because others could change lists while the GIL is released. */
int vnpy_tuple(PyObject *object, const char *name);
/* The strings of a tuple, of at most longest bytes each; -1 with an exception. */
int vnpy_spans(PyObject *tuple, const char *name, Py_ssize_t longest, vn_span *out);

#endif
