/* Arrays of an objective's batch, checked. */
#ifndef VNPY_LOSS_ROWS_H
#define VNPY_LOSS_ROWS_H

#include "vnpy.h"

#include "../tiles/vn_tiles.h"
#include "made.h"

/* Arguments of _core.Loss.run to rows, which the caller cleared; made must live as long. -1 with an error set. */
int vnpy_loss_bind(PyObject *const *args, vn_rows *rows, vnpy_made *made, int terms);

#endif
