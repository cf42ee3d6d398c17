/* Pictures and the masks of their objects, as edits want them. */
#ifndef VNPY_PHOTOS_H
#define VNPY_PHOTOS_H

#include "vnpy.h"

#include "../vn_picture.h"

/* 0 if an object is a tuple of n things. */
int vnpy_want_tuple(PyObject *object, const char *name, int64_t n);
/* N pictures (H,W,3) u8 and for each a tuple of objects (mask (h,w) u8, top, left, kind, group, use), borrowed.
 * Where other is set, None stands for no picture. */
vn_photo *vnpy_photos(PyObject *pictures, PyObject *objects, int64_t N, int other);
void vnpy_photos_release(vn_photo *photo, int64_t N);

#endif
