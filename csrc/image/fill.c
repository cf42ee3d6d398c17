/* Fills a hole from its surroundings by diffusion.
 *
 * Down: a cell of the next level is the rounded mean of the known ones among its up to 2 x 2 cells, until all are
 * known. Up: an unknown cell starts as the cell over it, then SWEEPS times every unknown cell of the level becomes the
 * rounded mean of its up to four neighbours, all at once. Values have FRACTION bits after the point.
 * That is multigrid on Laplace's equation with the rim of the hole as boundary. */
#include <string.h>

#include "vn_paint.h"

enum { SWEEPS = 8, FRACTION = 6, LEVELS = 32 };

typedef struct level {
    int64_t h, w;
    uint16_t *value; /* (h,w,3) */
    uint8_t *known;  /* (h,w) */
    int64_t unknown;
} level;

static level
level_take(int64_t h, int64_t w, vn_arena *scratch)
{
    level l = {h, w, NULL, NULL, 0};
    l.value = vn_arena_take(scratch, (size_t)(h * w) * 3 * sizeof *l.value);
    l.known = vn_arena_take(scratch, (size_t)(h * w));
    return l;
}

static level
level_start(const uint8_t *rgb, const uint8_t *hole, int64_t h, int64_t w, vn_arena *scratch)
{
    level l = level_take(h, w, scratch);
    for (int64_t p = 0; p < h * w; p++) {
        l.known[p] = hole[p] == 0;
        l.unknown += hole[p] != 0;
        for (int c = 0; c < 3; c++)
            l.value[p * 3 + c] = (uint16_t)(rgb[p * 3 + c] << FRACTION);
    }
    return l;
}

static level
level_down(const level *fine, vn_arena *scratch)
{
    level l = level_take((fine->h + 1) / 2, (fine->w + 1) / 2, scratch);
    for (int64_t i = 0; i < l.h; i++)
        for (int64_t j = 0; j < l.w; j++) {
            uint32_t sum[3] = {0, 0, 0}, n = 0;
            for (int64_t y = 2 * i; y < VN_MIN(2 * i + 2, fine->h); y++)
                for (int64_t x = 2 * j; x < VN_MIN(2 * j + 2, fine->w); x++) {
                    const uint16_t *v = fine->value + (y * fine->w + x) * 3;
                    if (!fine->known[y * fine->w + x])
                        continue;
                    n++;
                    for (int c = 0; c < 3; c++)
                        sum[c] += v[c];
                }
            l.known[i * l.w + j] = n > 0;
            l.unknown += n == 0;
            for (int c = 0; c < 3; c++)
                l.value[(i * l.w + j) * 3 + c] = (uint16_t)(n > 0 ? (sum[c] + n / 2) / n : 0);
        }
    return l;
}

/* next: means of the neighbours of cell p */
static void
relax(uint16_t *next, const level *l, int64_t p)
{
    int64_t y = p / l->w, x = p % l->w;
    const uint16_t *v = l->value + p * 3;
    uint32_t n = (uint32_t)((y > 0) + (y + 1 < l->h) + (x > 0) + (x + 1 < l->w));
    for (int c = 0; c < 3; c++) {
        uint32_t sum = n / 2;
        sum += y > 0 ? v[c - l->w * 3] : 0;
        sum += y + 1 < l->h ? v[c + l->w * 3] : 0;
        sum += x > 0 ? v[c - 3] : 0;
        sum += x + 1 < l->w ? v[c + 3] : 0;
        next[c] = (uint16_t)(n == 4 ? sum >> 2 : sum / n);
    }
}

static void
level_up(level *fine, const level *coarse, vn_arena *scratch)
{
    size_t mark = scratch->used;
    int32_t *list = vn_arena_take(scratch, (size_t)fine->unknown * sizeof *list);
    uint16_t *next = vn_arena_take(scratch, (size_t)fine->unknown * 3 * sizeof *next);
    int64_t n = 0;
    for (int64_t p = 0; p < fine->h * fine->w; p++)
        if (!fine->known[p]) {
            int64_t over = p / fine->w / 2 * coarse->w + p % fine->w / 2;
            memcpy(fine->value + p * 3, coarse->value + over * 3, 3 * sizeof *fine->value);
            list[n++] = (int32_t)p;
        }
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int64_t i = 0; i < n; i++)
            relax(next + i * 3, fine, list[i]);
        for (int64_t i = 0; i < n; i++)
            memcpy(fine->value + (int64_t)list[i] * 3, next + i * 3, 3 * sizeof *next);
    }
    scratch->used = mark;
}

int
vn_fill(uint8_t *rgb, const uint8_t *hole, int64_t h, int64_t w, vn_arena *scratch)
{
    size_t mark = scratch->used;
    level l[LEVELS];
    int last = 0;
    l[0] = level_start(rgb, hole, h, w, scratch);
    while (l[last].unknown > 0 && (l[last].h > 1 || l[last].w > 1)) {
        l[last + 1] = level_down(&l[last], scratch);
        last++;
    }
    int known = l[last].unknown == 0;
    for (int i = last - 1; known && i >= 0; i--)
        level_up(&l[i], &l[i + 1], scratch);
    for (int64_t p = 0; known && p < h * w; p++)
        for (int c = 0; hole[p] && c < 3; c++)
            rgb[p * 3 + c] = (uint8_t)((l[0].value[p * 3 + c] + (1 << (FRACTION - 1))) >> FRACTION);
    scratch->used = mark;
    return known;
}
