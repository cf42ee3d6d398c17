/* Colours by name: what a pixel is called, and what it becomes when it is given another one. */
#ifndef VN_COLOUR_H
#define VN_COLOUR_H

#include "../core/vn_build.h"

typedef enum vn_colour {
    VN_BLACK,
    VN_WHITE,
    VN_GREY,
    VN_RED,
    VN_ORANGE,
    VN_YELLOW,
    VN_GREEN,
    VN_BLUE,
    VN_PURPLE,
    VN_PINK,
    VN_BROWN,
    VN_COLOURS
} vn_colour;

vn_colour vn_colour_of(const uint8_t *rgb);
/* Pixels (n,3) where alpha (n) is not 0. saturation: the least, in thousandths; black, white and grey have none. */
void vn_colour_give(uint8_t *rgb, const uint8_t *alpha, int64_t n, vn_colour colour, int32_t saturation);

#endif
