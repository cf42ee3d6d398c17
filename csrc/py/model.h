/* The object behind _core.Model, for model.c, its life and weights, and steps.c, its two towers both ways. */
#ifndef VNPY_MODEL_H
#define VNPY_MODEL_H

#include <pythread.h>

#include "../model/vn_clip.h"

typedef struct vnpy_model {
    PyObject_HEAD
    vn_model model;
    vn_workspace work[2];     /* [1] keeps activations for backward */
    int64_t images, captions; /* in the kept batch; -1: none is kept */
    int64_t nodes;            /* its tokens; -1: they were not asked for */
    PyThread_type_lock lock;  /* a workspace serves one call at a time */
} vnpy_model;

/* Waits for the model with the GIL released; PyThread_release_lock(self->lock) gives it back. */
static inline void
vnpy_model_acquire(vnpy_model *self)
{
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

PyObject *vnpy_model_encode(vnpy_model *self, PyObject *const *args, Py_ssize_t n);
PyObject *vnpy_model_backward(vnpy_model *self, PyObject *const *args, Py_ssize_t n);

#endif
