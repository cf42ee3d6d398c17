/* CLIP's input from pixels: out[c][i][j] = table[c][pixel[i][j][c]], channel first, of the wanted part.
 *
 * The table holds (p/255 - mean)/std, so each number is exactly what those divisions give.
 * in (H,W,C) uint8 with C = 1 (grey, repeated) or 3; out (3,rows,columns) float32. */
#include "vn_image.h"

void
vn_picture_tensor(float *out, const vn_picture *in, const vn_window *part, vn_order order, int mirror,
                const float *table, vn_arena *scratch)
{
    int64_t rows = part->rows, columns = part->columns, C = in->C;
    uint8_t *pixels = vn_arena_take(scratch, (size_t)(rows * columns * C));
    vn_picture_resize(pixels, in, part, order, scratch);
    if (scratch->base == NULL)
        return;
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < rows; i++) {
            const uint8_t *line = pixels + i * columns * C + (C == 3 ? c : 0);
            float *to = out + (c * rows + i) * columns;
            for (int64_t j = 0; j < columns; j++)
                to[j] = table[c * 256 + line[(mirror ? columns - 1 - j : j) * C]];
        }
}
