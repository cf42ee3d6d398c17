/* Makes a term's table from its functions: a loss file names its arrays params and reads, defines VN_TERM, VN_TERM_DOC,
 * those of VN_TERM_STAT, _GRAD, _OWN, _FINISH, _FIXED, _SCALING, _REDUCTION and _MEMORY that it has, and includes this
 * last. */
#ifdef VN_TERM_GRAD
#ifndef VN_TERM_STAT
#define VN_TERM_STAT vn_scaled
#endif
#include "tiles/vn_term_loops.h"
#define VN_TERM_LOOPS values, grads
#else
#define VN_TERM_LOOPS NULL, NULL
#endif
#ifndef VN_TERM_OWN
#define VN_TERM_OWN NULL
#endif
#ifndef VN_TERM_FINISH
#define VN_TERM_FINISH NULL
#endif
#ifndef VN_TERM_FIXED
#define VN_TERM_FIXED NULL
#endif
#ifndef VN_TERM_SCALING
#define VN_TERM_SCALING VN_SCALED
#endif
#ifndef VN_TERM_REDUCTION
#define VN_TERM_REDUCTION VN_LSE
#endif
#ifndef VN_TERM_MEMORY
#define VN_TERM_MEMORY VN_NONE
#endif

#define VN_TERM_JOIN_(a, b) a##b
#define VN_TERM_JOIN(a, b)  VN_TERM_JOIN_(a, b)
#define VN_TERM_STRING_(x)  #x
#define VN_TERM_STRING(x)   VN_TERM_STRING_(x)

extern const vn_term VN_FN(VN_TERM_JOIN(term_, VN_TERM));
const vn_term VN_FN(VN_TERM_JOIN(term_, VN_TERM)) = {
    VN_TERM_STRING(VN_TERM), VN_TERM_DOC,   params,          reads,           VN_TERM_LOOPS,
    VN_TERM_OWN,             VN_TERM_FINISH, VN_TERM_FIXED, VN_TERM_SCALING, VN_TERM_REDUCTION,
    VN_TERM_MEMORY,
};
