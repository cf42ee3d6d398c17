/* Between sites.c and readings.c: a keyword in a caption, and what stands around it. */
#ifndef VN_READINGS_H
#define VN_READINGS_H

#include "vn_keywords.h"

/* the words [first,last] of the longest keyword that starts at a word; its lines are [begin,end), and from low on
 * there are those of the word alone */
typedef struct vn_match {
    int first, last;
    int64_t low, begin, end;
} vn_match;

/* the classes of the match's last word and of its joined neighbours, 0 for none */
typedef struct vn_near {
    int kind, form, left, left_form, right;
} vn_near;

vn_near vn_near_match(const vn_sentence *in, const vn_match *m);
/* 1 when the neighbours say that the keyword has the sense of this line */
int vn_keyword_meant(const vn_sentence *in, const vn_match *m, const vn_keyword *k, const vn_near *a);
vn_reading vn_reading_of(const vn_sentence *in, const vn_match *m, const vn_keyword *k, const vn_near *a);
/* the reading of a word whose group, home, if it has one, puts nothing in its place */
vn_reading vn_reading_stand_in(const vn_sentence *in, const vn_match *m, int home, int instead, const vn_near *a);

#endif
