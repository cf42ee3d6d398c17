/* The table that calls of this process go through. */
#ifndef VNPY_LEVELS_H
#define VNPY_LEVELS_H

#include "../vn_backend.h"

const vn_backend *vnpy_backend(void);

#endif
