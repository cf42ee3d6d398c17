/* The lists of the generator replace, for whoever shows them: keywords.def line by line. */
#ifndef VN_KEYWORDS_H
#define VN_KEYWORDS_H

#include "../../text/vn_text.h"

typedef struct vn_keyword {
    const char *text, *sense, *group_name;
    uint8_t concept, group, form, target;
} vn_keyword;

int64_t vn_keywords_size(void);
const vn_keyword *vn_keywords_entry(int64_t index);

#endif
