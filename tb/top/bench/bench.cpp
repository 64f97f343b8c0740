// The bare simulation loop that the environment's speed in a training is measured against (docs/measure.md, Speed): the processor
// alone, the host's accesses and stream words of a recorded run from memory, no tracing and no check.
//
// Host and stream in behave as ts_axil_host.sv and ts_source.sv do: an access begins in the cycle after the one in which it is first
// valid, a poll is read again until it sees what it waits for; the stream out is always ready.
//
// File (32-bit words, little-endian): numbers of accesses and of words in, bound on cycles; accesses (5: first cycle, data, mask, address,
// operation: 0 write, 1 read, 2 poll); words in (6: first cycle, data lowest word first, last). An access or word is valid from its
// first cycle on, at the earliest in the cycle after its predecessor's transfer; cycle 0 is the first without reset. The loop prints
// {"cycles", "words", "reads", "seconds"}: cycles up to the first one in which everything was taken and the processor is not busy, words
// that left, accesses that read. Words (5: data, last) and data of reads are written to <file>.words and <file>.reads.
// Exit status 1 if the bound is reached first, 2 for a file that cannot be read or written.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "Vtrainslice_top.h"
#include "verilated.h"

namespace {

struct Access {
    uint32_t first, data, mask, address, operation;
};
struct WordIn {
    uint32_t first, data[4], last;
};
struct WordOut {
    uint32_t data[4], last;
};

template <class T>
bool load(FILE* file, std::vector<T>& items) {
    return std::fread(items.data(), sizeof(T), items.size(), file) == items.size();
}

template <class T>
bool save(const std::string& path, const std::vector<T>& items) {
    FILE* file = std::fopen(path.c_str(), "wb");
    if (!file) return false;
    const bool ok = std::fwrite(items.data(), sizeof(T), items.size(), file) == items.size();
    return std::fclose(file) == 0 && ok;
}

}  // namespace

int main(int argc, char** argv) {
    uint32_t head[3];
    std::vector<Access> host;
    std::vector<WordIn> in;
    FILE* file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
    bool ok = file && std::fread(head, sizeof head, 1, file) == 1;
    if (ok) {
        host.resize(head[0]);
        in.resize(head[1]);
        ok = load(file, host) && load(file, in);
    }
    if (file) std::fclose(file);
    if (!ok) {
        std::fprintf(stderr, "usage: bench <stimulus file>\n");
        return 2;
    }
    VerilatedContext context;
    Vtrainslice_top top{&context};
    const auto edge = [&top] {
        top.clk_i = 1;
        top.eval();
        top.clk_i = 0;
    };
    top.clk_i = 0;
    top.rst_ni = 0;
    top.axil_wstrb_i = 15;
    top.axil_bready_i = 1;
    top.axil_rready_i = 1;
    top.m_axis_tready_i = 1;
    for (int n = 0; n < 4; n++) {
        top.eval();
        edge();
    }
    top.rst_ni = 1;

    std::vector<WordOut> out;
    std::vector<uint32_t> reads;
    size_t at = 0, word = 0;
    bool active = false, aw = false, w = false, ar = false, done = false;
    uint32_t cycle = 0;
    const auto start = std::chrono::steady_clock::now();
    for (; cycle < head[2]; cycle++) {
        const bool host_valid = at < host.size() && cycle >= host[at].first;
        top.axil_awvalid_i = aw;
        top.axil_wvalid_i = w;
        top.axil_arvalid_i = ar;
        if (host_valid) {
            top.axil_awaddr_i = host[at].address;
            top.axil_araddr_i = host[at].address;
            top.axil_wdata_i = host[at].data;
        }
        top.s_axis_tvalid_i = word < in.size() && cycle >= in[word].first;
        if (top.s_axis_tvalid_i) {
            std::memcpy(top.s_axis_tdata_i.data(), in[word].data, sizeof in[word].data);
            top.s_axis_tlast_i = in[word].last;
        }
        top.eval();
        if (at == host.size() && word == in.size() && !top.busy_o) {
            done = true;
            break;
        }
        const bool word_taken = top.s_axis_tvalid_i && top.s_axis_tready_o;
        if (top.m_axis_tvalid_o) {
            WordOut item;
            std::memcpy(item.data, top.m_axis_tdata_o.data(), sizeof item.data);
            item.last = top.m_axis_tlast_o;
            out.push_back(item);
        }
        bool taken = false;
        if (host_valid) {
            const Access& access = host[at];
            const bool write = access.operation == 0;
            const bool answered = active && (write ? top.axil_bvalid_o : top.axil_rvalid_o);
            const bool again = answered && access.operation == 2 && top.axil_rresp_o == 0 &&
                               (top.axil_rdata_o & access.mask) != access.data;
            const bool begin = !active;
            if (aw && top.axil_awready_o) aw = false;
            if (w && top.axil_wready_o) w = false;
            if (ar && top.axil_arready_o) ar = false;
            if (begin) {
                active = true;
                aw = w = write;
                ar = !write;
            }
            if (answered) {
                active = ar = again;
                taken = !again;
                if (taken && !write) reads.push_back(top.axil_rdata_o);
            }
        }
        edge();
        at += taken;
        word += word_taken;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    top.final();
    const std::string path = argv[1];
    if (!save(path + ".words", out) || !save(path + ".reads", reads)) {
        std::fprintf(stderr, "cannot write beside %s\n", argv[1]);
        return 2;
    }
    std::printf("{\"cycles\": %u, \"words\": %zu, \"reads\": %zu, \"seconds\": %.6f}\n", cycle, out.size(), reads.size(),
                seconds.count());
    return done ? 0 : 1;
}
