/* Fills a hole from its surroundings by diffusion.
 *
 * Down: a cell of the next level is the rounded mean of the known ones among its up to 2 x 2 cells, until all are
 * known. Up: an unknown cell starts as the cell over it, then SWEEPS times every unknown cell of the level becomes the
 * rounded mean of its four neighbours, all at once; beyond the edge the picture is as at the edge. Values have FRACTION
 * bits after the point: four fit 16 bits.
 * That is multigrid on Laplace's equation with the rim of the hole as boundary. */
#include <string.h>

#include "vn_paint.h"

enum { SWEEPS = 8, FRACTION = 6, LEVELS = 32, ALL = 0xFFFF };

/* Arrays of three numbers a cell; rows of w cells. */
typedef struct level {
    int64_t h, w;
    uint16_t *value;   /* (h,w,3) */
    uint16_t *unknown; /* (h,w,3): ALL where the value is not known, else 0 */
    int64_t holes;     /* cells that are not known */
} level;

static level
level_take(int64_t h, int64_t w, vn_arena *scratch)
{
    level l = {h, w, NULL, NULL, 0};
    l.value = vn_arena_take(scratch, (size_t)(h * w) * 3 * sizeof *l.value);
    l.unknown = vn_arena_take(scratch, (size_t)(h * w) * 3 * sizeof *l.unknown);
    return l;
}

static level
level_start(const uint8_t *rgb, const uint8_t *hole, int64_t h, int64_t w, vn_arena *scratch)
{
    level l = level_take(h, w, scratch);
    for (int64_t p = 0; p < h * w; p++) {
        l.holes += hole[p] != 0;
        for (int64_t c = p * 3; c < p * 3 + 3; c++) {
            l.unknown[c] = hole[p] != 0 ? ALL : 0;
            l.value[c] = (uint16_t)(rgb[c] << FRACTION);
        }
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
                    int64_t p = (y * fine->w + x) * 3;
                    if (fine->unknown[p])
                        continue;
                    n++;
                    for (int c = 0; c < 3; c++)
                        sum[c] += fine->value[p + c];
                }
            l.holes += n == 0;
            for (int64_t c = 0, p = (i * l.w + j) * 3; c < 3; c++) {
                l.unknown[p + c] = n == 0 ? ALL : 0;
                l.value[p + c] = (uint16_t)(n > 0 ? (sum[c] + n / 2) / n : 0);
            }
        }
    return l;
}

static inline uint16_t
mean_of(uint16_t a, uint16_t b, uint16_t c, uint16_t d)
{
    return (uint16_t)((uint16_t)(a + b + c + d + 2) >> 2);
}

/* next (w,3): a row after one sweep; above and below are its neighbours. */
VN_CLONES static void
sweep_row(uint16_t *VN_RESTRICT next, const uint16_t *VN_RESTRICT row, const uint16_t *VN_RESTRICT above,
          const uint16_t *VN_RESTRICT below, const uint16_t *VN_RESTRICT unknown, int64_t w)
{
    for (int64_t c = 0; c < 3; c++) { /* the ends, where a neighbour is the cell itself */
        int64_t e = (w - 1) * 3 + c;
        next[c] = unknown[c] ? mean_of(above[c], below[c], row[c], row[w > 1 ? c + 3 : c]) : row[c];
        next[e] = unknown[e] ? mean_of(above[e], below[e], row[w > 1 ? e - 3 : e], row[e]) : row[e];
    }
    for (int64_t c = 3; c < (w - 1) * 3; c++) {
        uint16_t mean = mean_of(above[c], below[c], row[c - 3], row[c + 3]);
        next[c] = (uint16_t)((mean & unknown[c]) | (row[c] & ~unknown[c]));
    }
}

static void
level_up(level *fine, const level *coarse, vn_arena *scratch)
{
    size_t mark = scratch->used;
    int64_t line = fine->w * 3, all = fine->h * line;
    uint16_t *next = vn_arena_take(scratch, (size_t)all * sizeof *next);
    for (int64_t y = 0; y < fine->h; y++)
        for (int64_t x = 0; x < fine->w; x++)
            if (fine->unknown[y * line + x * 3])
                memcpy(fine->value + y * line + x * 3, coarse->value + (y / 2 * coarse->w + x / 2) * 3,
                       3 * sizeof *next);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int64_t y = 0; y < fine->h; y++) {
            const uint16_t *row = fine->value + y * line;
            sweep_row(next + y * line, row, y > 0 ? row - line : row, y + 1 < fine->h ? row + line : row,
                      fine->unknown + y * line, fine->w);
        }
        uint16_t *was = fine->value;
        fine->value = next, next = was;
    }
    scratch->used = mark; /* an even number of sweeps: value is the level's own again */
}

int
vn_fill(uint8_t *rgb, const uint8_t *hole, int64_t h, int64_t w, vn_arena *scratch)
{
    size_t mark = scratch->used;
    level l[LEVELS];
    int last = 0;
    l[0] = level_start(rgb, hole, h, w, scratch);
    while (l[last].holes > 0 && (l[last].h > 1 || l[last].w > 1)) {
        l[last + 1] = level_down(&l[last], scratch);
        last++;
    }
    int known = l[last].holes == 0;
    for (int i = last - 1; known && i >= 0; i--)
        level_up(&l[i], &l[i + 1], scratch);
    for (int64_t p = 0; known && p < h * w; p++)
        for (int64_t c = p * 3; hole[p] && c < p * 3 + 3; c++)
            rgb[c] = (uint8_t)((l[0].value[c] + (1 << (FRACTION - 1))) >> FRACTION);
    scratch->used = mark;
    return known;
}
