/* The loss terms of this instruction level, in the order of vn_registry.def. */
#include "vn_tiles.h"

#define VN_TERM(name) extern const vn_term VN_FN(term_##name);
#include "../vn_registry.def"

const vn_term *const VN_FN(terms)[] = {
#define VN_TERM(name) &VN_FN(term_##name),
#include "../vn_registry.def"
    NULL,
};
