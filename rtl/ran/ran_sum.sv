// Sum register of the RAN: bank contents plus start value (docs/ran/README.md: Drain, Start values).
module ran_sum #(
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                  fill_i,
  input  logic                  empty_i,     // the job moves on (a fill wins)
  input  logic [Lanes*AccW-1:0] acc_i,
  input  logic [1:0]            start_i,
  input  logic [AccW-2:0]       limit_i,
  input  logic [Lanes*32-1:0]   bias_i,
  input  logic [Lanes*64-1:0]   psum_i,
  input  logic [Lanes-1:0]      dead_i,
  input  logic [15:0]           tag_i,
  input  logic [ran_pkg::SlotW-1:0] slot_i,
  input  logic [31:0]           word_i,      // of the job's draws
  output logic                  valid_o,
  output logic [Lanes*AccW-1:0] sum_o,
  output logic [15:0]           tag_o,
  output logic [Lanes-1:0]      dead_o,
  output logic [ran_pkg::SlotW-1:0] slot_o,
  output logic [31:0]           word_o,
  output logic [5:0]            clamped_o    // with fill_i
);
  localparam int CountW = 6;
  localparam int W = Lanes * AccW;

  // {clamped start values, sums}
  function automatic logic [CountW+W-1:0] sums(
      input logic [W-1:0] acc, input logic [1:0] start, input logic [AccW-2:0] limit,
      input logic [Lanes*32-1:0] bias, input logic [Lanes*64-1:0] psum, input logic [Lanes-1:0] dead);
    logic [W-1:0]       out;
    logic [CountW-1:0]  clamped;
    logic signed [63:0] word, bound;
    clamped = '0;
    bound   = 64'(limit);
    out     = '0;
    for (int l = 0; l < Lanes; l++) begin
      case (start)
        ran_pkg::StartBias:   word = {{32{bias[32*l + 31]}}, bias[32*l +: 32]};
        ran_pkg::StartPsum32: word = {{32{psum[32*l + 31]}}, psum[32*l +: 32]};
        ran_pkg::StartPsum64: word = psum[64*l +: 64];
        default:                  word = 64'sd0;
      endcase
      if (!dead[l]) begin
        if (word > bound) begin
          word    = bound;
          clamped = clamped + 1'b1;
        end else if (word < -bound) begin
          word    = -bound;
          clamped = clamped + 1'b1;
        end
        out[AccW*l +: AccW] = acc[AccW*l +: AccW] + word[AccW-1:0];
      end
    end
    return {clamped, out};
  endfunction

  logic [W-1:0]      sum;
  logic [CountW-1:0] clamped_count;
  assign {clamped_count, sum} = sums(acc_i, start_i, limit_i, bias_i, psum_i, dead_i);
  assign clamped_o = clamped_count;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
      sum_o   <= '0;
      tag_o   <= '0;
      dead_o  <= '0;
      slot_o  <= '0;
      word_o  <= '0;
    end else begin
      if (fill_i) begin
        valid_o <= 1'b1;
        sum_o   <= sum;
        tag_o   <= tag_i;
        dead_o  <= dead_i;
        slot_o  <= slot_i;
        word_o  <= word_i;
      end else if (empty_i) begin
        valid_o <= 1'b0;
      end
    end
  end
endmodule
