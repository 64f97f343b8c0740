// A host's statistics for LAPS (docs/top/reference.md, Registers): UPD as it is written, a copy of it from UPD_PUSH on until LAPS takes it, and
// LAPS' last answer.
module top_updates
  import top_pkg::upd_words_t, top_pkg::upd_t, top_pkg::answer_t;
(
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         write_i,          // of word `word_i`
  input  logic [2:0]   word_i,
  input  logic [31:0]  wdata_i,
  input  logic         push_i,           // not while one is pending
  output upd_words_t   upd_words_o,
  output answer_t      answer_o,
  output logic         pending_o,
  // LAPS
  output logic         upd_valid_o,
  input  logic         upd_ready_i,
  output upd_t         upd_o,
  input  logic         upd_rsp_valid_i,  // pulse: LAPS answers an update, of the host or of a GEMM
  input  answer_t      upd_rsp_i
);
  logic [191:0] upd_q;                   // as written
  upd_words_t   sent_q;                  // as pushed
  answer_t      answer_q;
  logic         pending_q, taken_q;      // the host's: pushed; taken by LAPS
  assign upd_words_o = upd_q;
  assign answer_o    = answer_q;
  assign pending_o   = pending_q;
  assign upd_valid_o = pending_q && !taken_q;
  assign upd_o       = top_pkg::upd_of(sent_q);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      upd_q     <= '0;
      pending_q <= 1'b0;
      taken_q   <= 1'b0;
      answer_q  <= '0;
    end else begin
      if (write_i) upd_q[{word_i, 5'd0} +: 32] <= wdata_i;
      // LAPS answers in the order in which it takes: an answer that comes before the host's update was taken is a GEMM's.
      if (push_i) pending_q <= 1'b1;
      else if (upd_rsp_valid_i && taken_q) pending_q <= 1'b0;
      if (upd_valid_o && upd_ready_i) taken_q <= 1'b1;
      else if (upd_rsp_valid_i) taken_q <= 1'b0;
      if (upd_rsp_valid_i) answer_q <= upd_rsp_i;
    end
  end
  always_ff @(posedge clk_i) if (push_i) sent_q <= upd_q;
endmodule
