// LAPS' updates from two sources: a GEMM's before a host's, but what is offered stays until it is taken (docs/top/README.md, GEMM).
module top_update #(
  parameter int PayloadW = 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                gemm_valid_i,
  output logic                gemm_ready_o,
  input  logic [PayloadW-1:0] gemm_payload_i,
  input  logic                host_valid_i,
  output logic                host_ready_o,
  input  logic [PayloadW-1:0] host_payload_i,
  output logic                valid_o,
  input  logic                ready_i,
  output logic [PayloadW-1:0] payload_o,
  output logic                gemm_o          // it is the GEMM's
);
  logic held_q;                               // the host's was offered and not taken
  assign gemm_o = gemm_valid_i && !held_q;
  assign valid_o = gemm_valid_i || host_valid_i;
  assign payload_o = gemm_o ? gemm_payload_i : host_payload_i;
  assign gemm_ready_o = ready_i && gemm_o;
  assign host_ready_o = ready_i && !gemm_o;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) held_q <= 1'b0;
    else held_q <= host_valid_i && !gemm_o && !ready_i;
  end
endmodule
