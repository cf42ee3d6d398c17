/* Masks of objects from polygons and from runs: (H,W) uint8, 1 inside.
 *
 * Polygon: corners go to fifths of a pixel; each edge is walked in steps of a fifth along its longer axis; where the
 * path steps over the middle of a column, that column turns from out to in or back, from the first row whose middle
 * is not above the path. What lies outside the frame is cut off. Several parts are united.
 * Runs: lengths of 0s and 1s in turn, down the columns. Packed runs: from the third on the difference to the one
 * before the last, in groups of five bits, lowest first, as characters from '0' on; bit 5 says that more follow.
 * These are COCO's masks: Lin et al., Microsoft COCO, 2014. */
#include "vn_image.h"

#include <string.h>

enum { FINE = 5, MIDDLE = 2, TOGGLE = 2 };

/* One step of a path, in fifths. */
static void
step(uint8_t *mask, int64_t H, int64_t W, const int64_t from[2], const int64_t to[2])
{
    int64_t x = VN_MIN(from[0], to[0]), y = VN_MAX(VN_MIN(from[1], to[1]), 0), row = (y + MIDDLE) / FINE;
    if (from[0] != to[0] && x >= 0 && x % FINE == MIDDLE && x / FINE < W && row < H)
        mask[row * W + x / FINE] ^= TOGGLE;
}

static void
edge(uint8_t *mask, int64_t H, int64_t W, const int64_t a[2], const int64_t b[2])
{
    int64_t across = b[0] > a[0] ? b[0] - a[0] : a[0] - b[0], down = b[1] > a[1] ? b[1] - a[1] : a[1] - b[1];
    int along = across < down, other = 1 - along; /* the longer axis, and the other one */
    const int64_t *from = a[along] > b[along] ? b : a, *to = from == a ? b : a;
    int64_t n = to[along] - from[along], last[2] = {from[0], from[1]};
    double slope = n > 0 ? (double)(to[other] - from[other]) / (double)n : 0.0;
    for (int64_t t = 0; t <= n; t++) {
        int64_t at[2];
        at[along] = from[along] + t;
        at[other] = (int64_t)((double)from[other] + slope * (double)t + 0.5);
        if (t > 0)
            step(mask, H, W, last, at);
        memcpy(last, at, sizeof last);
    }
}

void
vn_mask_polygon(uint8_t *mask, int64_t H, int64_t W, const double *point, int64_t points)
{
    int64_t from[2], to[2];
    for (int64_t i = 0; i <= points; i++) {
        const double *p = point + 2 * (i < points ? i : 0);
        to[0] = (int64_t)(FINE * p[0] + 0.5);
        to[1] = (int64_t)(FINE * p[1] + 0.5);
        if (i > 0)
            edge(mask, H, W, from, to);
        memcpy(from, to, sizeof from);
    }
    for (int64_t i = W; i < H * W; i++)
        mask[i] ^= mask[i - W] & TOGGLE;
    for (int64_t i = 0; i < H * W; i++)
        mask[i] = (mask[i] | mask[i] >> 1) & 1;
}

void
vn_mask_runs(uint8_t *mask, int64_t H, int64_t W, const int64_t *run, int64_t runs)
{
    int64_t at = 0;
    for (int64_t r = 0; r < runs; at += run[r], r++)
        for (int64_t i = at; (r & 1) != 0 && i < at + run[r]; i++)
            mask[i % H * W + i / H] = 1;
}

vn_status
vn_mask_unpack(int64_t *run, int64_t *runs, const char *text, int64_t bytes, vn_error *error)
{
    int64_t n = 0;
    for (int64_t i = 0; i < bytes; n++) {
        uint64_t value = 0;
        int shift = 0, more = 1;
        for (; more; i++, shift += 5) {
            if (i == bytes)
                return vn_fail(error, VN_EFORMAT, "packed runs end inside a number");
            int c = (unsigned char)text[i] - '0';
            if (c < 0 || c > 63)
                return vn_fail(error, VN_EFORMAT, "packed runs hold a character of code %d at %lld, not '0' to 'o'",
                               c + '0', (long long)i);
            if (shift > 40)
                return vn_fail(error, VN_EFORMAT, "packed runs hold a number that is too large at %lld", (long long)i);
            value |= (uint64_t)(c & 31) << shift;
            more = c & 32;
            if (!more && c & 16)
                value |= ~(uint64_t)0 << (shift + 5);
        }
        run[n] = (int64_t)value + (n > 2 ? run[n - 2] : 0);
        if (run[n] < 0 || run[n] > INT32_MAX)
            return vn_fail(error, VN_EFORMAT, "packed runs hold a run of %lld pixels", (long long)run[n]);
    }
    *runs = n;
    return VN_OK;
}
