/* Made rows as Python hands them over. */
#ifndef VNPY_MADE_H
#define VNPY_MADE_H

#include "../vn_embed.h"

typedef struct vnpy_made {
    vn_made made;
    vn_made_slot slot[VN_MAX_MADE];
} vnpy_made;

/* object: None, or (seed, rows (B) uint64, ((maker, side, slot, 3 numbers, first, choices, weight),
 * ...)), side 0 image, 1 text. Returns
 * &out->made, NULL for None, NULL with *ok = 0 and an exception when something is wrong. */
const vn_made *vnpy_made_read(PyObject *object, vnpy_axes *ax, vnpy_made *out, int *ok);

#endif
