/* Pictures and the masks of their objects, from tuples of arrays. */
#include "photos.h"

enum { MAX_PICTURE = 1 << 30, MAX_OFFSET = 1 << 30 }; /* pixels */

int
vnpy_want_tuple(PyObject *object, const char *name, int64_t n)
{
    if (!PyTuple_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple, got %s", name, Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyTuple_GET_SIZE(object) != n) {
        PyErr_Format(PyExc_ValueError, "%s must have %lld items, got %zd", name, (long long)n,
                     PyTuple_GET_SIZE(object));
        return -1;
    }
    return 0;
}

/* A uint8 array of so many axes, all contiguous. */
static PyArrayObject *
want_bytes(PyObject *object, const char *name, int axes)
{
    PyArrayObject *a = (PyArrayObject *)object;
    if (PyArray_Check(object) && PyArray_TYPE(a) == NPY_UINT8 && PyArray_NDIM(a) == axes &&
        PyArray_IS_C_CONTIGUOUS(a))
        return a;
    PyErr_Format(PyExc_TypeError, "%s must be a contiguous uint8 array with %d axes", name, axes);
    return NULL;
}

static int
bind_picture(PyObject *object, vn_photo *out)
{
    PyArrayObject *a = want_bytes(object, "a picture", 3);
    if (a == NULL)
        return -1;
    *out = (vn_photo){PyArray_DATA(a), PyArray_DIM(a, 0), PyArray_DIM(a, 1), NULL, 0};
    if (PyArray_DIM(a, 2) == 3 && out->H >= 1 && out->W >= 1 && out->H <= MAX_PICTURE / out->W)
        return 0;
    PyErr_Format(PyExc_ValueError, "a picture must have shape (H, W, 3) and 1 to 2^30 pixels, got (%lld, %lld, %lld)",
                 (long long)out->H, (long long)out->W, (long long)PyArray_DIM(a, 2));
    return -1;
}

/* (mask (h,w) u8, top, left, kind, group, use) */
static int
bind_object(PyObject *object, const vn_photo *in, vn_mask *out)
{
    int64_t value[5];
    static const int64_t low[5] = {-MAX_OFFSET, -MAX_OFFSET, -1, -1, 0};
    static const int64_t high[5] = {MAX_OFFSET, MAX_OFFSET, INT32_MAX, INT32_MAX, 1};
    if (vnpy_want_tuple(object, "an object", 6) < 0)
        return -1;
    PyArrayObject *a = want_bytes(PyTuple_GET_ITEM(object, 0), "a mask", 2);
    if (a == NULL)
        return -1;
    for (int i = 0; i < 5; i++)
        if (vnpy_int64(PyTuple_GET_ITEM(object, i + 1), "an object's number", low[i], high[i], &value[i]) < 0)
            return -1;
    vn_box placed = {value[0], value[1], PyArray_DIM(a, 0), PyArray_DIM(a, 1)};
    *out = vn_mask_of(PyArray_DATA(a), PyArray_DIM(a, 1), placed, in->H, in->W);
    out->kind = (int32_t)value[2];
    out->group = (int32_t)value[3];
    out->use = (int32_t)value[4];
    return 0;
}

void
vnpy_photos_release(vn_photo *photo, int64_t N)
{
    for (int64_t i = 0; photo != NULL && i < N; i++)
        PyMem_Free((void *)photo[i].mask);
    PyMem_Free(photo);
}

vn_photo *
vnpy_photos(PyObject *pictures, PyObject *objects, int64_t N, int other)
{
    vn_photo *photo = NULL;
    if (vnpy_want_tuple(pictures, other ? "others" : "pictures", N) < 0 || vnpy_want_tuple(objects, "objects", N) < 0)
        return NULL;
    if ((photo = PyMem_Calloc((size_t)N + 1, sizeof *photo)) == NULL)
        return (vn_photo *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < N; i++) {
        PyObject *row = PyTuple_GET_ITEM(objects, i);
        if (other && PyTuple_GET_ITEM(pictures, i) == Py_None)
            continue;
        if (bind_picture(PyTuple_GET_ITEM(pictures, i), &photo[i]) < 0)
            goto failed;
        if (!PyTuple_Check(row)) {
            PyErr_SetString(PyExc_TypeError, "the objects of a picture must be a tuple");
            goto failed;
        }
        vn_mask *mask = PyMem_Calloc((size_t)PyTuple_GET_SIZE(row) + 1, sizeof *mask);
        if (mask == NULL) {
            PyErr_NoMemory();
            goto failed;
        }
        photo[i].mask = mask;
        for (; photo[i].masks < PyTuple_GET_SIZE(row); photo[i].masks++)
            if (bind_object(PyTuple_GET_ITEM(row, (Py_ssize_t)photo[i].masks), &photo[i],
                            &mask[photo[i].masks]) < 0)
                goto failed;
    }
    return photo;
failed:
    vnpy_photos_release(photo, N);
    return NULL;
}
