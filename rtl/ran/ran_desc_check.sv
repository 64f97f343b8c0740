// Answer to a descriptor of the RAN, and what its slot keeps of the bound on sums (docs/ran/reference.md, Descriptors). Combinational.
module ran_desc_check #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic [2:0]  y_bits_i,
  input  logic        y_unsigned_i,
  input  logic        relu_i,
  input  logic [1:0]  round_i,
  input  logic [5:0]  shift_i,
  input  logic [5:0]  lanes_i,
  input  logic [3:0]  reduce_factor_i,
  input  logic [15:0] n_jobs_i,
  input  logic [2:0]  x_slices_i,
  input  logic [2:0]  w_slices_i,
  input  logic        x_unsigned_i,
  input  logic        w_unsigned_i,
  input  logic        compensate_i,
  input  logic [15:0] k_len_i,
  output logic [ran_pkg::CodeW-1:0] code_o,
  output logic [AccW-2:0]           limit_o   // largest magnitude of a start value; meaningful if the code is RspOk
);
  localparam int CodeW = ran_pkg::CodeW;
  localparam int BoundW = 64;
  localparam logic [AccW-2:0] Largest = '1;

  logic [16:0]       terms;
  logic [5:0]        x_exp, w_exp;
  logic [BoundW-1:0] bound;
  logic              raw, reduce_ok, slices_ok;

  assign terms = 17'(k_len_i) + (compensate_i ? (17'(k_len_i) + 17'd15) >> 4 : 17'd0);
  assign x_exp = {1'b0, x_slices_i, 2'b00} - 6'(!x_unsigned_i);
  assign w_exp = {1'b0, w_slices_i, 2'b00} - 6'(!w_unsigned_i);
  assign bound = BoundW'(terms) << (x_exp + w_exp);
  assign limit_o = Largest - bound[AccW-2:0];

  assign raw = (y_bits_i == 3'(ran_pkg::YRaw32)) || (y_bits_i == 3'(ran_pkg::YRaw64));
  assign reduce_ok = ((reduce_factor_i == 4'd1) || (reduce_factor_i == 4'd2) || (reduce_factor_i == 4'd4) ||
                      (reduce_factor_i == 4'd8)) && (32'(reduce_factor_i) <= Rows);
  assign slices_ok = (x_slices_i != 3'd0) && (x_slices_i <= 3'd4) && (w_slices_i != 3'd0) && (w_slices_i <= 3'd4);

  always_comb begin
    if (y_bits_i > 3'(ran_pkg::YRaw64)) begin
      code_o = CodeW'(ran_pkg::RspBits);
    end else if (round_i > 2'(ran_pkg::RoundStochastic)) begin
      code_o = CodeW'(ran_pkg::RspRound);
    end else if (32'(shift_i) >= AccW || (raw && shift_i != 6'd0)) begin
      code_o = CodeW'(ran_pkg::RspShift);
    end else if (raw && (relu_i || y_unsigned_i)) begin
      code_o = CodeW'(ran_pkg::RspRaw);
    end else if (!reduce_ok) begin
      code_o = CodeW'(ran_pkg::RspReduce);
    end else if (lanes_i == 6'd0 || 32'(lanes_i) > Lanes) begin
      code_o = CodeW'(ran_pkg::RspLanes);
    end else if (n_jobs_i == 16'd0 || n_jobs_i > 16'(ran_pkg::MaxJobs)) begin
      code_o = CodeW'(ran_pkg::RspJobs);
    end else if (!slices_ok) begin
      code_o = CodeW'(ran_pkg::RspSlices);
    end else if (k_len_i == 16'd0) begin
      code_o = CodeW'(ran_pkg::RspKLen);
    end else if (bound > BoundW'(Largest)) begin
      code_o = CodeW'(ran_pkg::RspBound);
    end else begin
      code_o = CodeW'(ran_pkg::RspOk);
    end
  end
endmodule
