// The handshake law at LAPS' update port, for sources that keep it.
module top_update_proof (
  input logic clk_i
);
  (* anyseq *) logic       gemm_valid, host_valid, ready;
  (* anyseq *) logic [7:0] gemm_payload, host_payload;
  logic       rst_n, gemm_ready, host_ready, valid, gemm;
  logic [7:0] payload;
  logic       past_q, valid_q, ready_q, gemm_q, gemm_valid_q, gemm_ready_q, host_valid_q, host_ready_q;
  logic [7:0] payload_q, gemm_payload_q, host_payload_q;
  initial rst_n = 1'b0;
  initial past_q = 1'b0;
  top_update #(.PayloadW(8)) u_update (
    .clk_i, .rst_ni(rst_n), .gemm_valid_i(gemm_valid), .gemm_ready_o(gemm_ready), .gemm_payload_i(gemm_payload),
    .host_valid_i(host_valid), .host_ready_o(host_ready), .host_payload_i(host_payload),
    .valid_o(valid), .ready_i(ready), .payload_o(payload), .gemm_o(gemm)
  );
  always @(posedge clk_i) begin
    rst_n  <= 1'b1;
    past_q <= rst_n;
    {valid_q, ready_q, gemm_q, payload_q} <= {valid, ready, gemm, payload};
    {gemm_valid_q, gemm_ready_q, gemm_payload_q} <= {gemm_valid, gemm_ready, gemm_payload};
    {host_valid_q, host_ready_q, host_payload_q} <= {host_valid, host_ready, host_payload};
  end
  always @(posedge clk_i) if (past_q) begin
    assume (!gemm_valid_q || gemm_ready_q || (gemm_valid && gemm_payload == gemm_payload_q));
    assume (!host_valid_q || host_ready_q || (host_valid && host_payload == host_payload_q));
  end
  always @(posedge clk_i) if (rst_n && past_q) begin
    valid_stays: assert (!valid_q || ready_q || valid);
    payload_stays: assert (!valid_q || ready_q || (payload == payload_q && gemm == gemm_q));
    one_is_taken: assert (!(gemm_valid && gemm_ready && host_valid && host_ready));
    taken_is_offered: assert (!(valid && ready) || (gemm ? gemm_valid && payload == gemm_payload :
                                                    host_valid && payload == host_payload));
    gemm_first: assert (!(gemm_valid && host_valid && !host_valid_q) || gemm);
    host_waits: cover (host_valid_q && !ready_q && !gemm_q && gemm_valid && !gemm);
    gemm_waits: cover (gemm_valid_q && !ready_q && gemm_q && host_valid && gemm);
  end
endmodule
