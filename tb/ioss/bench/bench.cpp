// The bare simulation loop that the environment's speed is measured against (docs/environment.md, Speed): the core alone, a program's
// beats from arrays in memory, consumers always ready, no tracing and no check but the number of issues.
//
// Usage: bench <program>. File (32-bit words, little-endian): numbers of descriptors, tile beats, vector beats, bound on cycles; then
// the descriptors (9 words: x_slices, w_slices, x_unsigned, w_unsigned, min_order, compensate, reduce_factor, k_len, n_jobs), the tile
// beats (5: data lowest word first, last), the vector beats (7: data, last, tag, mask). All three streams are offered from cycle 0 on, every
// beat in the cycle behind its predecessor's transfer. Prints {"cycles", "issues", "seconds"}: cycles up to the first one in which
// everything was taken and the core is not busy. The build defines Rows. Exit status 1 if the bound is reached first, 2 for a program that cannot be read.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "Vioss_core.h"
#include "verilated.h"

namespace {

struct Desc {
    uint32_t x_slices, w_slices, x_unsigned, w_unsigned, min_order, compensate, reduce_factor, k_len, n_jobs;
};
struct TileBeat {
    uint32_t data[4], last;
};
struct VecBeat {
    uint32_t data[4], last, tag, mask;
};

struct Program {
    uint32_t bound = 0;
    std::vector<Desc> desc;
    std::vector<TileBeat> tile;
    std::vector<VecBeat> vec;

    bool read(const char* path) {
        FILE* file = std::fopen(path, "rb");
        if (!file) return false;
        uint32_t head[4];
        bool ok = std::fread(head, sizeof head, 1, file) == 1;
        if (ok) {
            desc.resize(head[0]);
            tile.resize(head[1]);
            vec.resize(head[2]);
            bound = head[3];
            ok = std::fread(desc.data(), sizeof(Desc), desc.size(), file) == desc.size() &&
                 std::fread(tile.data(), sizeof(TileBeat), tile.size(), file) == tile.size() &&
                 std::fread(vec.data(), sizeof(VecBeat), vec.size(), file) == vec.size();
        }
        std::fclose(file);
        return ok;
    }
};

void offer_desc(Vioss_core& top, const Program& program, size_t at) {
    top.desc_valid_i = at < program.desc.size();
    if (!top.desc_valid_i) return;
    const Desc& item = program.desc[at];
    top.desc_x_slices_i = item.x_slices;
    top.desc_w_slices_i = item.w_slices;
    top.desc_x_unsigned_i = item.x_unsigned;
    top.desc_w_unsigned_i = item.w_unsigned;
    top.desc_min_order_i = item.min_order;
    top.desc_compensate_i = item.compensate;
    top.desc_reduce_factor_i = item.reduce_factor;
    top.desc_k_len_i = item.k_len;
    top.desc_n_jobs_i = item.n_jobs;
}

void offer_tile(Vioss_core& top, const Program& program, size_t at) {
    top.tile_valid_i = at < program.tile.size();
    if (!top.tile_valid_i) return;
    const TileBeat& item = program.tile[at];
    std::memcpy(top.tile_data_i.data(), item.data, sizeof item.data);
    top.tile_last_i = item.last;
}

void offer_vec(Vioss_core& top, const Program& program, size_t at) {
    top.vec_valid_i = at < program.vec.size();
    if (!top.vec_valid_i) return;
    const VecBeat& item = program.vec[at];
    std::memcpy(top.vec_data_i.data(), item.data, sizeof item.data);
    top.vec_last_i = item.last;
    top.vec_tag_i = item.tag;
    top.vec_mask_i = item.mask;
}

}  // namespace

int main(int argc, char** argv) {
    Program program;
    if (argc != 2 || !program.read(argv[1])) {
        std::fprintf(stderr, "usage: bench <program file>\n");
        return 2;
    }
    VerilatedContext context;
    Vioss_core top{&context};
    const auto edge = [&top] {
        top.clk_i = 1;
        top.eval();
        top.clk_i = 0;
    };
    top.clk_i = 0;
    top.rst_ni = 0;
    top.prod_ready_i = ~0u >> (32 - Rows);
    top.byp_ready_i = 1;
    for (int n = 0; n < 4; n++) {
        top.eval();
        edge();
    }
    top.rst_ni = 1;
    top.eval();
    edge();

    size_t desc = 0, tile = 0, vec = 0;
    uint64_t issues = 0;
    uint32_t cycle = 0;
    bool done = false;
    const auto start = std::chrono::steady_clock::now();
    offer_desc(top, program, 0);
    offer_tile(top, program, 0);
    offer_vec(top, program, 0);
    for (; cycle < program.bound; cycle++) {
        top.eval();
        if (!top.busy_o && !top.desc_valid_i && !top.tile_valid_i && !top.vec_valid_i) {
            done = true;
            break;
        }
        issues += __builtin_popcount(top.issue_valid_o);
        const bool desc_taken = top.desc_valid_i && top.desc_ready_o;
        const bool tile_taken = top.tile_valid_i && top.tile_ready_o;
        const bool vec_taken = top.vec_valid_i && top.vec_ready_o;
        edge();
        if (desc_taken) offer_desc(top, program, ++desc);
        if (tile_taken) offer_tile(top, program, ++tile);
        if (vec_taken) offer_vec(top, program, ++vec);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    top.final();
    std::printf("{\"cycles\": %u, \"issues\": %llu, \"seconds\": %.6f}\n", cycle, static_cast<unsigned long long>(issues),
                seconds.count());
    return done ? 0 : 1;
}
