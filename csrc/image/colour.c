/* Colour names and recolouring, in integers.
 *
 * Value V = max, chroma C = max - min, saturation C / V, hue in [0, 1536): 256 a sixth of the circle, red is 0.
 * A pixel is given a colour by its hue, C' = max(C, s V), and channel = V - C' (1 - t), t what the pure hue has of it.
 * Black, white and grey have C' = 0 and V' five sixths of the way to 0.15, 0.9 and 0.5 of 255; brown, which is a dark
 * orange, goes to 0.4. */
#include "vn_colour.h"

enum { DARK = 51, PALE = 200, PURE = 256 };

typedef struct tone {
    int hue, value; /* hue -1: none; value 0: kept */
} tone;

static const tone tones[VN_COLOURS] = {
    [VN_BLACK] = {-1, 38},  [VN_WHITE] = {-1, 230}, [VN_GREY] = {-1, 128},  [VN_RED] = {0, 0},
    [VN_ORANGE] = {128, 0}, [VN_YELLOW] = {256, 0}, [VN_GREEN] = {512, 0},  [VN_BLUE] = {1024, 0},
    [VN_PURPLE] = {1216, 0}, [VN_PINK] = {1408, 0}, [VN_BROWN] = {107, 102},
};

/* The hue times the chroma: hue < h is turn < h chroma, without a division. */
static int
turn_of(int r, int g, int b, int max, int chroma)
{
    if (max == r)
        return 256 * (g - b) + (g < b ? 1536 * chroma : 0);
    return max == g ? 256 * (b - r) + 512 * chroma : 256 * (r - g) + 1024 * chroma;
}

vn_colour
vn_colour_of(const uint8_t *rgb)
{
    int r = rgb[0], g = rgb[1], b = rgb[2];
    int max = VN_MAX(VN_MAX(r, g), b), chroma = max - VN_MIN(VN_MIN(r, g), b);
    if (max < DARK)
        return VN_BLACK;
    if (chroma * 100 < max * 15)
        return max > PALE ? VN_WHITE : VN_GREY;
    int turn = turn_of(r, g, b, max, chroma);
    if (turn >= 43 * chroma && turn < 179 * chroma)
        return max < 153 ? VN_BROWN : turn < 64 * chroma ? VN_RED : VN_ORANGE;
    if (turn < 64 * chroma || turn >= 1472 * chroma)
        return max > 180 && chroma * 100 < max * 55 ? VN_PINK : VN_RED;
    if (turn < 725 * chroma)
        return turn < 299 * chroma ? VN_YELLOW : VN_GREEN;
    return turn < 1109 * chroma ? VN_BLUE : turn < 1280 * chroma ? VN_PURPLE : VN_PINK;
}

static int
part(int x)
{
    return VN_MAX(0, VN_MIN(x, PURE));
}

static int
distance(int a, int b)
{
    return a > b ? a - b : b - a;
}

/* pure: what the hue has of red, green and blue */
static void
give(uint8_t *rgb, tone to, const int pure[3], int32_t saturation)
{
    int was = VN_MAX(VN_MAX(rgb[0], rgb[1]), rgb[2]), value = was;
    int chroma = was - VN_MIN(VN_MIN(rgb[0], rgb[1]), rgb[2]);
    if (to.value > 0) {
        value = (was + 5 * to.value + 3) / 6;
        chroma = was > 0 ? chroma * value / was : 0;
    }
    chroma = to.hue < 0 ? 0 : VN_MAX(chroma, (value * saturation + 500) / 1000);
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(value - (chroma * (PURE - pure[c]) + PURE / 2) / PURE);
}

void
vn_colour_give(uint8_t *rgb, const uint8_t *alpha, int64_t n, vn_colour colour, int32_t saturation)
{
    tone to = tones[colour];
    const int pure[3] = {part(distance(to.hue, 768) - 256), part(512 - distance(to.hue, 512)),
                         part(512 - distance(to.hue, 1024))};
    for (int64_t p = 0; p < n; p++)
        if (alpha[p] != 0)
            give(rgb + p * 3, to, pure, saturation);
}
