/* CPU loops around a term's two functions. They are free of branches, so that the compiler makes vector code of them;
 * sums stay in one place per column, so that no order of addition changes. */

static void
values(const vn_strip *s, const vn_term_args *args)
{
    const vn_term_args a = *args;
    const float *VN_RESTRICT c = s->c;
    const uint8_t *VN_RESTRICT kind = s->kind;
    float *VN_RESTRICT z = s->z;
    const int reading = s->reading, twin = s->twin;
    for (int64_t j = 0; j < s->n; j++) {
        int own = kind[j], seen = own == VN_TWIN ? twin : own;
        vn_cell x = {c[j], 0.0f, {0.0f, 0.0f}, {0.0f, 0.0f}, 0.0f, 0.0f, seen, reading};
        float v = VN_TERM_STAT(x, &a);
        z[j] = seen == VN_MASKED ? -INFINITY : v;
    }
}

static void
grads(const vn_strip *s, const vn_term_args *args)
{
    const vn_term_args a = *args;
    const float *VN_RESTRICT c = s->c, *VN_RESTRICT z = s->z;
    const float *VN_RESTRICT top = s->col_top, *VN_RESTRICT log = s->col_log, *VN_RESTRICT share = s->col_share;
    const uint8_t *VN_RESTRICT kind = s->kind;
    float *VN_RESTRICT g = s->g, *VN_RESTRICT loss = s->loss, *VN_RESTRICT dlog = s->dlog;
    const vn_stat row = s->row;
    const float row_share = s->row_share;
    const int reading = s->reading, twin = s->twin;
    for (int64_t j = 0; j < s->n; j++) {
        vn_stat col = {top[j], log[j]};
        int own = kind[j], seen = own == VN_TWIN ? twin : own;
        vn_cell x = {c[j], z[j], row, col, row_share, share[j], seen, reading};
        vn_dcell d = VN_TERM_GRAD(x, &a);
        float dc = seen == VN_MASKED ? 0.0f : a.weight * d.dc;
        g[j] += dc;
        dlog[j] += c[j] * dc;
        loss[j] += seen == VN_MASKED ? 0.0f : d.loss;
    }
}
