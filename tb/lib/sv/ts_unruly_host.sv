// Host that keeps no rules (docs/top/abuse.md): plays a script at all ports of the processor, every channel by itself, and logs what it sees.
//
// When `go_i` changes, `script.in.bin` is read: records of 24 bytes, most significant byte first, {48 bits A, 144 bits B}. The first two hold, in B,
// 16 bits for each of the 8 channels: its first record, and the one after its last. The next one: A {16 settle, 32 bound}, B {1 fill, 1 idle}. The script ends when nothing has
// happened for `settle` cycles (with `idle` also: the processor is not busy), or after `bound` cycles (0: never). Channels:
//   0 AW, 1 W, 2 AR, 3 stream in   {16 gap, 32 bound}, payload: after `gap` idle cycles the payload is offered until it is taken, at most `bound` cycles (0: any number)
//   4 B, 5 R, 6 stream out   {0, 32 ready}, {32 not ready}: a waveform of ready; ready without one
//   7 reset                  {0, 32 high}, {32 low}: a waveform of the reset; high without one
// `fill`: where its script is over the stream in offers words of 0 with TLAST, for ever.
//
// `script.log.bin`, begun anew by every script: records of six 32-bit words {cycle of the script, kind, 128 bits}: 0 AW, 1 W {strobe, data}, 2 AR, 3 word in {last}, 4 B, 5 R
// {data, response}, 6 word out (kind bit 31: last): transfers; 7 {new value of the reset}; 8 {channel}: an answer or word that broke the handshake law
// or was not known; 9 {busy, out of bound}: the end.
`include "ts_trace.svh"
module ts_unruly_host
  import ts_axil_pkg::axil_req_t, ts_axil_pkg::axil_rsp_t;
(
  input  logic         clk_i,
  input  logic [31:0]  go_i,
  output logic [31:0]  done_o,
  output logic         rst_no,
  output axil_req_t    axil_o,
  input  axil_rsp_t    axil_i,
  output logic         s_valid_o,
  input  logic         s_ready_i,
  output logic [127:0] s_data_o,
  output logic         s_last_o,
  input  logic         m_valid_i,
  output logic         m_ready_o,
  input  logic [127:0] m_data_i,
  input  logic         m_last_i,
  input  logic         busy_i
);
  localparam int Most = 4096;       // records of a script
  localparam int Offers = 4;
  localparam int Channels = 8;
  localparam int Waves = Channels - Offers;
  localparam int RecordW = 192;
  localparam int PayloadW = 144;
  logic [RecordW-1:0]  script [Most];
  logic [RecordW-1:0]  record;
  integer              in_fd, log_fd, got;
  logic                playing;
  logic [31:0]         cycle, bound, settle, still;
  logic                fill, idle, event_now, waits, ends;
  integer              at [Channels];
  integer              end_at [Channels];
  // offers
  logic                valid [Offers];
  logic                counting [Offers];  // a gap passes
  logic [15:0]         gap [Offers];
  logic [31:0]         left [Offers];
  logic [PayloadW-1:0] payload [Offers];
  logic                ready [Offers];
  // waves
  logic [31:0]         on [Waves];
  logic [31:0]         off [Waves];
  logic                level [Waves];
  // handshake law
  logic                waiting [3];
  logic [PayloadW-1:0] held [3];
  logic [PayloadW-1:0] seen [3];
  logic                seen_valid [3];
  logic [191:0]        entry;

  initial begin
    playing = 1'b0;
    done_o  = '0;
    log_fd  = 0;
    cycle   = '0;
    for (int c = 0; c < Channels; c++) begin
      at[c]     = 0;
      end_at[c] = 0;
    end
    for (int c = 0; c < Offers; c++) begin
      valid[c]    = 1'b0;
      counting[c] = 1'b0;
      gap[c]      = '0;
      left[c]     = '0;
      payload[c]  = '0;
    end
    for (int w = 0; w < Waves; w++) begin
      on[w]    = '0;
      off[w]   = '0;
      level[w] = 1'b0;
    end
    for (int k = 0; k < 3; k++) waiting[k] = 1'b0;
    axil_o.awvalid = 1'b0;
    axil_o.wvalid  = 1'b0;
    axil_o.arvalid = 1'b0;
    s_valid_o = 1'b0;
    axil_o.bready  = 1'b0;
    axil_o.rready  = 1'b0;
    m_ready_o = 1'b0;
    rst_no    = 1'b0;
  end

  // Blocking on purpose: files, counters and flags belong to this one process.
  /* verilator lint_off BLKSEQ */
  always @(posedge clk_i) begin
    if (playing) begin
      // ---- what happened in this cycle ----------------
      event_now = 1'b0;
      ready[0] = axil_i.awready;
      ready[1] = axil_i.wready;
      ready[2] = axil_i.arready;
      ready[3] = s_ready_i;
      if (level[3]) begin
        for (int c = 0; c < Offers; c++) begin
          if (valid[c] && ready[c]) begin
            event_now = 1'b1;
            entry = {payload[c][127:0], 32'(c), cycle};
            if (c == 3) entry[191:64] = {127'd0, payload[3][128]};
            `TS_TRACE(log_fd, entry, 6)
          end
        end
        seen[0] = PayloadW'(axil_i.bresp);
        seen[1] = PayloadW'({axil_i.rdata, axil_i.rresp});
        seen[2] = PayloadW'({m_last_i, m_data_i});
        seen_valid[0] = axil_i.bvalid;
        seen_valid[1] = axil_i.rvalid;
        seen_valid[2] = m_valid_i;
        for (int k = 0; k < 3; k++) begin
          if (waiting[k] && (!seen_valid[k] || seen[k] != held[k])) begin
            entry = {128'(k + 4), 32'd8, cycle};
            `TS_TRACE(log_fd, entry, 6)
          end
`ifndef VERILATOR
          if (seen_valid[k] === 1'bx || (seen_valid[k] && ^seen[k] === 1'bx)) begin
            entry = {128'(k + 4), 32'd8, cycle};
            `TS_TRACE(log_fd, entry, 6)
          end
`endif
          waiting[k] = seen_valid[k] && !level[k];
          held[k] = seen[k];
          if (seen_valid[k] && level[k]) begin
            event_now = 1'b1;
            entry = {seen[k][127:0], 32'(k + 4), cycle};
            if (k == 2) entry[63] = seen[k][128];
            `TS_TRACE(log_fd, entry, 6)
          end
        end
      end else begin
        for (int k = 0; k < 3; k++) waiting[k] = 1'b0;
      end
      // ---- what happens in the next one ----------------
      waits = 1'b0;
      for (int c = 0; c < Offers; c++) begin
        if (valid[c]) begin
          if (left[c] == 32'd1) valid[c] = 1'b0;
          if (left[c] != 0) left[c] = left[c] - 32'd1;
          if (ready[c] && level[3]) valid[c] = 1'b0;
        end
        if (!valid[c] && !counting[c] && at[c] != end_at[c]) begin
          record = script[at[c]];
          at[c] = at[c] + 1;
          counting[c] = 1'b1;
          gap[c]      = record[RecordW-1 -: 16];
          left[c]     = record[PayloadW +: 32];
          payload[c]  = record[PayloadW-1:0];
        end
        if (counting[c]) begin
          if (gap[c] == 0) begin
            counting[c] = 1'b0;
            valid[c] = 1'b1;
          end else begin
            gap[c] = gap[c] - 16'd1;
          end
        end
        if (counting[c] || (valid[c] && left[c] != 0)) waits = 1'b1;
      end
      if (fill && !valid[3] && !counting[3] && at[3] == end_at[3]) begin
        valid[3]   = 1'b1;
        left[3]    = '0;
        payload[3] = PayloadW'(1) << 128;
      end
      for (int w = 0; w < Waves; w++) begin
        if (on[w] == 0 && off[w] == 0 && at[Offers+w] != end_at[Offers+w]) begin
          record = script[at[Offers+w]];
          at[Offers+w] = at[Offers+w] + 1;
          on[w]  = record[PayloadW +: 32];
          off[w] = record[31:0];
        end
        if (on[w] != 0 || off[w] != 0) waits = 1'b1;
        entry = {127'd0, on[w] != 0 || off[w] == 0, 32'd7, cycle};
        if (w == 3 && level[3] != entry[64]) begin
          `TS_TRACE(log_fd, entry, 6)
        end
        level[w] = entry[64];
        if (on[w] != 0) on[w] = on[w] - 32'd1;
        else if (off[w] != 0) off[w] = off[w] - 32'd1;
      end
      // ---- end ----------------
      still = (event_now || waits || (idle && busy_i)) ? '0 : still + 32'd1;
      cycle = cycle + 32'd1;
      ends = cycle == bound;
      if (ends || still >= settle) begin
        entry = {126'd0, ends, busy_i, 32'd9, cycle};
        `TS_TRACE(log_fd, entry, 6)
        $fclose(log_fd);
        playing = 1'b0;
        done_o  = go_i;
        for (int w = 0; w < 3; w++) level[w] = 1'b0;   // nothing is taken that nobody logs
        for (int c = 0; c < Offers; c++) begin
          valid[c] = 1'b0;
          counting[c] = 1'b0;
        end
        for (int w = 0; w < Waves; w++) begin
          on[w]  = '0;
          off[w] = '0;
        end
      end
    end else if (go_i != done_o) begin
      in_fd = $fopen("script.in.bin", "rb");
      got = $fread(script, in_fd);
      $fclose(in_fd);
      log_fd = $fopen("script.log.bin", "wb");
      for (int c = 0; c < Channels; c++) begin
        record = script[0];
        at[c] = 32'(record[16*c +: 16]);
        record = script[1];
        end_at[c] = 32'(record[16*c +: 16]);
      end
      record  = script[2];
      settle  = 32'(record[RecordW-1 -: 16]);
      bound   = record[PayloadW +: 32];
      idle    = record[0];
      fill    = record[1];
      cycle   = '0;
      still   = '0;
      playing = 1'b1;
      for (int w = 0; w < Waves; w++) level[w] = 1'b1;
    end
    // Only what leaves is assigned without blocking.
    axil_o.awvalid <= valid[0];
    axil_o.awaddr  <= payload[0][15:0];
    axil_o.wvalid  <= valid[1];
    {axil_o.wstrb, axil_o.wdata} <= payload[1][35:0];
    axil_o.arvalid <= valid[2];
    axil_o.araddr  <= payload[2][15:0];
    s_valid_o <= valid[3];
    {s_last_o, s_data_o} <= payload[3][128:0];
    axil_o.bready  <= level[0];
    axil_o.rready  <= level[1];
    m_ready_o <= level[2];
    rst_no    <= level[3];
  end
  /* verilator lint_on BLKSEQ */
endmodule
