// The bare simulation loop that the environment's speed is measured against (docs/measure.md, Speed): the pair alone, a program's
// beats from arrays in memory, consumers always ready, no tracing and no check but the number of issues. File and loop: bench_loop.h.
// Products with one chunk of K and no bias: nothing is played on the streams of start values.
#include "Vgemm_core.h"
#include "bench_loop.h"

namespace {

struct Desc {
    uint32_t x_slices, w_slices, x_unsigned, w_unsigned, min_order, compensate, reduce_factor, k_len, n_jobs;
    uint32_t y_bits, y_unsigned, relu, round, rand_bits, shift, lanes, stat_last;
};

void fill(Vgemm_core& top, const Desc& item) {
    top.desc_x_slices_i = item.x_slices;
    top.desc_w_slices_i = item.w_slices;
    top.desc_x_unsigned_i = item.x_unsigned;
    top.desc_w_unsigned_i = item.w_unsigned;
    top.desc_min_order_i = item.min_order;
    top.desc_compensate_i = item.compensate;
    top.desc_reduce_factor_i = item.reduce_factor;
    top.desc_k_len_i = item.k_len;
    top.desc_n_jobs_i = item.n_jobs;
    top.desc_y_bits_i = item.y_bits;
    top.desc_y_unsigned_i = item.y_unsigned;
    top.desc_relu_i = item.relu;
    top.desc_round_i = item.round;
    top.desc_rand_bits_i = item.rand_bits;
    top.desc_shift_i = item.shift;
    top.desc_lanes_i = item.lanes;
    top.desc_stat_last_i = item.stat_last;
}

// The pair numbers its jobs itself.
void tag(Vgemm_core&, const bench::VecBeat&) {}

void idle(Vgemm_core& top) {
    top.desc_start_i = 0;
    top.out_ready_i = 1;
    top.stat_ready_i = 1;
    top.psum_req_ready_i = 1;
    top.psum_valid_i = 0;
    top.bias_valid_i = 0;
    top.desc_draw_i = 0;
}

}  // namespace

int main(int argc, char** argv) { return bench::run<Vgemm_core, Desc>(argc, argv, fill, tag, idle); }
