// Pending descriptor of the IOSS core (docs/ioss/reference.md, Descriptors).
//
// Takes a descriptor when none is pending, answers with a pulse in the next cycle, and holds a legal one until `take_i`.
module ioss_desc
  import trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Depth = 128
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        desc_valid_i,
  output logic        desc_ready_o,
  input  operands_t   desc_i,

  output logic                       rsp_valid_o,
  output logic [ioss_pkg::CodeW-1:0] rsp_code_o,
  output logic                       refused_o,   // with rsp_valid_o

  output logic        pend_valid_o,
  output operands_t   pend_o,
  input  logic        take_i
);
  localparam int CodeW = ioss_pkg::CodeW;

  logic [CodeW-1:0] code;

  ioss_desc_check #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_check (
    .desc_i,
    .code_o(code)
  );

  assign desc_ready_o = !pend_valid_o;
  assign refused_o = rsp_valid_o && (rsp_code_o != ioss_pkg::RspOk);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pend_valid_o <= 1'b0;
      pend_o       <= '0;
      rsp_valid_o  <= 1'b0;
      rsp_code_o   <= '0;
    end else begin
      rsp_valid_o <= desc_valid_i && desc_ready_o;
      if (desc_valid_i && desc_ready_o) begin
        rsp_code_o <= code;
        if (code == ioss_pkg::RspOk) begin
          pend_valid_o <= 1'b1;
          pend_o       <= desc_i;
        end
      end else if (take_i) begin
        pend_valid_o <= 1'b0;
      end
    end
  end
endmodule
