/* Makes a term's table from its functions: a loss file defines VN_TERM, VN_TERM_DOC, VN_TERM_STAT and VN_TERM_GRAD,
 * names its arrays params and reads, and includes this last. */
#include "tiles/vn_term_loops.h"

#define VN_TERM_JOIN_(a, b) a##b
#define VN_TERM_JOIN(a, b)  VN_TERM_JOIN_(a, b)
#define VN_TERM_STRING_(x)  #x
#define VN_TERM_STRING(x)   VN_TERM_STRING_(x)

extern const vn_term VN_FN(VN_TERM_JOIN(term_, VN_TERM));
const vn_term VN_FN(VN_TERM_JOIN(term_, VN_TERM)) = {
    VN_TERM_STRING(VN_TERM), VN_TERM_DOC, params, reads, values, grads,
};
