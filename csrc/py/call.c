/* Checks arguments and turns a status into an exception. */
#include "vnpy.h"

#include <math.h>
#include <string.h>

static const char *
type_name(int type)
{
    switch (type) {
    case NPY_FLOAT32: return "float32";
    case NPY_FLOAT64: return "float64";
    case NPY_INT32: return "int32";
    case NPY_INT64: return "int64";
    case NPY_UINT8: return "uint8";
    case NPY_UINT64: return "uint64";
    }
    return "another type";
}

static void
write_shape(char *text, size_t room, PyArrayObject *a)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < PyArray_NDIM(a) && used < room - 24; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%lld", i > 0 ? ", " : "", (long long)PyArray_DIM(a, i));
}

static int
count_axes(const char *axes)
{
    int n = *axes != 0;
    for (const char *p = axes; *p; p++)
        n += *p == ',';
    return n;
}

static int
match(PyArrayObject *a, const char *name, const char *axes, vnpy_axes *bound)
{
    char shape[160];
    write_shape(shape, sizeof shape, a);
    if (PyArray_NDIM(a) != count_axes(axes)) {
        PyErr_Format(PyExc_ValueError, "%s must have shape (%s), got (%s)", name, axes, shape);
        return -1;
    }
    const char *p = axes;
    for (int i = 0; i < PyArray_NDIM(a); i++, p += *p == ',') {
        int64_t want, got = PyArray_DIM(a, i);
        if (*p >= 'A' && *p <= 'Z') {
            int letter = *p++ - 'A';
            if (bound->name[letter] == NULL) {
                bound->name[letter] = name;
                bound->size[letter] = got;
            }
            want = bound->size[letter];
            if (want != got) {
                PyErr_Format(PyExc_ValueError, "%s must have shape (%s) with %c = %lld as in %s, got (%s)", name, axes,
                             'A' + letter, (long long)want, bound->name[letter], shape);
                return -1;
            }
            continue;
        }
        for (want = 0; *p >= '0' && *p <= '9'; p++)
            want = want * 10 + (*p - '0');
        if (want != got) {
            PyErr_Format(PyExc_ValueError, "%s must have shape (%s), got (%s)", name, axes, shape);
            return -1;
        }
    }
    return 0;
}

void *
vnpy_in(PyObject *object, const char *name, int type, const char *axes, vnpy_axes *bound)
{
    if (!PyArray_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a NumPy array of %s with shape (%s), got %s", name, type_name(type),
                     axes, Py_TYPE(object)->tp_name);
        return NULL;
    }
    PyArrayObject *a = (PyArrayObject *)object;
    if (PyArray_TYPE(a) != type) {
        PyErr_Format(PyExc_TypeError, "%s must be %s, got %S; convert it with %s.astype('%s')", name, type_name(type),
                     (PyObject *)PyArray_DESCR(a), name, type_name(type));
        return NULL;
    }
    if (match(a, name, axes, bound) < 0)
        return NULL;
    if (!PyArray_IS_C_CONTIGUOUS(a) || !PyArray_ISALIGNED(a) || !PyArray_ISNOTSWAPPED(a)) {
        PyErr_Format(PyExc_ValueError, "%s must be C-contiguous, aligned and in native byte order; "
                     "use numpy.ascontiguousarray", name);
        return NULL;
    }
    return PyArray_DATA(a);
}

void *
vnpy_in_or_none(PyObject *object, const char *name, int type, const char *axes, vnpy_axes *bound, int *ok)
{
    if (object == Py_None)
        return NULL;
    void *data = vnpy_in(object, name, type, axes, bound);
    if (data == NULL)
        *ok = 0;
    return data;
}

void *
vnpy_inout(PyObject *object, const char *name, int type, const char *axes, vnpy_axes *bound)
{
    void *data = vnpy_in(object, name, type, axes, bound);
    if (data != NULL && !PyArray_ISWRITEABLE((PyArrayObject *)object)) {
        PyErr_Format(PyExc_ValueError, "%s is read-only and the call writes it", name);
        return NULL;
    }
    return data;
}

PyObject *
vnpy_out(int type, const char *axes, const vnpy_axes *bound)
{
    npy_intp dims[8];
    int n = 0;
    for (const char *p = axes; *p && n < 8; p += *p == ',') {
        int64_t size = 0;
        if (*p >= 'A' && *p <= 'Z')
            size = bound->size[*p++ - 'A'];
        else
            for (; *p >= '0' && *p <= '9'; p++)
                size = size * 10 + (*p - '0');
        dims[n++] = (npy_intp)size;
    }
    return PyArray_ZEROS(n, dims, type, 0);
}

void *
vnpy_data(PyObject *array)
{
    return PyArray_DATA((PyArrayObject *)array);
}

int
vnpy_count(const char *function, Py_ssize_t n, Py_ssize_t expected)
{
    if (n == expected)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s takes %zd positional arguments, got %zd", function, expected, n);
    return -1;
}

int
vnpy_int64(PyObject *object, const char *name, int64_t low, int64_t high, int64_t *out)
{
    PyObject *index = PyNumber_Index(object);
    if (index == NULL) {
        PyErr_Format(PyExc_TypeError, "%s must be an integer, got %s", name, Py_TYPE(object)->tp_name);
        return -1;
    }
    int overflow = 0;
    *out = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow != 0 || *out < low || *out > high) {
        PyErr_Format(PyExc_ValueError, "%s must be in [%lld, %lld], got %S", name, (long long)low, (long long)high,
                     index);
        Py_DECREF(index);
        return -1;
    }
    Py_DECREF(index);
    return 0;
}

int
vnpy_uint64(PyObject *object, const char *name, uint64_t *out)
{
    PyObject *index = PyNumber_Index(object);
    if (index != NULL)
        *out = PyLong_AsUnsignedLongLong(index);
    if (index == NULL || (*out == UINT64_MAX && PyErr_Occurred())) {
        PyErr_Format(PyExc_ValueError, "%s must be an integer in [0, 2^64), got %R", name, object);
        Py_XDECREF(index);
        return -1;
    }
    Py_DECREF(index);
    return 0;
}

int
vnpy_float(PyObject *object, const char *name, float *out)
{
    double x = PyFloat_AsDouble(object);
    if (x == -1.0 && PyErr_Occurred()) {
        PyErr_Format(PyExc_TypeError, "%s must be a number, got %s", name, Py_TYPE(object)->tp_name);
        return -1;
    }
    *out = (float)x;
    if (isfinite(x) && !isfinite(*out)) {
        PyErr_Format(PyExc_ValueError, "%s must fit into float32, got %R", name, object);
        return -1;
    }
    return 0;
}

PyObject *
vnpy_raise(vn_status status, const vn_error *error)
{
    PyObject *type = PyExc_ValueError;
    if (status == VN_ENOMEM)
        type = PyExc_MemoryError;
    else if (status == VN_EUNSUPPORTED)
        type = PyExc_NotImplementedError;
    else if (status == VN_EDEVICE)
        type = PyExc_RuntimeError;
    PyErr_SetString(type, error->text);
    return NULL;
}
