// Answer to a descriptor of the RAN, and what its slot keeps of the bound on sums (docs/ran/reference.md, Descriptors). Combinational.
module ran_desc_check
  import ran_pkg::way_t, trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  /* verilator lint_off UNUSEDSIGNAL */  // what can hold anything
  input  way_t                      way_i,
  input  operands_t                 desc_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic [ran_pkg::CodeW-1:0] code_o,
  output logic [AccW-2:0]           limit_o   // largest magnitude of a start value; meaningful if the code is RspOk
);
  localparam int BoundW = 49;   // 17 bits of terms, 32 places
  localparam logic [AccW-2:0] Largest = '1;

  logic [16:0]       terms;
  logic [4:0]        x_exp, w_exp;
  logic [BoundW-1:0] bound;
  logic              raw, reduce_ok, slices_ok;

  assign terms = 17'(desc_i.k_len) + (desc_i.compensate ? (17'(desc_i.k_len) + 17'd15) >> 4 : 17'd0);
  assign x_exp = {desc_i.x_slices, 2'b00} - 5'(!desc_i.x_unsigned);
  assign w_exp = {desc_i.w_slices, 2'b00} - 5'(!desc_i.w_unsigned);
  assign bound = BoundW'(terms) << (6'(x_exp) + 6'(w_exp));
  assign limit_o = Largest - bound[AccW-2:0];

  assign raw = (way_i.y_bits == ran_pkg::YRaw32) || (way_i.y_bits == ran_pkg::YRaw64);
  assign reduce_ok = ((desc_i.reduce_factor == 4'd1) || (desc_i.reduce_factor == 4'd2) ||
                      (desc_i.reduce_factor == 4'd4) || (desc_i.reduce_factor == 4'd8)) &&
                     (32'(desc_i.reduce_factor) <= Rows);
  assign slices_ok = (desc_i.x_slices != 3'd0) && (desc_i.x_slices <= 3'd4) &&
                     (desc_i.w_slices != 3'd0) && (desc_i.w_slices <= 3'd4);

  always_comb begin
    if (way_i.y_bits > ran_pkg::YRaw64) begin
      code_o = ran_pkg::RspBits;
    end else if (way_i.round > ran_pkg::RoundStochastic) begin
      code_o = ran_pkg::RspRound;
    end else if (32'(way_i.shift) >= AccW || (raw && way_i.shift != 6'd0)) begin
      code_o = ran_pkg::RspShift;
    end else if (raw && (way_i.relu || way_i.y_unsigned)) begin
      code_o = ran_pkg::RspRaw;
    end else if (!reduce_ok) begin
      code_o = ran_pkg::RspReduce;
    end else if (way_i.lanes == 6'd0 || 32'(way_i.lanes) > Lanes) begin
      code_o = ran_pkg::RspLanes;
    end else if (desc_i.n_jobs == 16'd0 || desc_i.n_jobs > 16'(ran_pkg::MaxJobs)) begin
      code_o = ran_pkg::RspJobs;
    end else if (!slices_ok) begin
      code_o = ran_pkg::RspSlices;
    end else if (desc_i.k_len == 16'd0) begin
      code_o = ran_pkg::RspKLen;
    end else if (bound > BoundW'(Largest)) begin
      code_o = ran_pkg::RspBound;
    end else begin
      code_o = ran_pkg::RspOk;
    end
  end
endmodule
