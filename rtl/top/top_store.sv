// Store engine: words of a buffer, or of the records, to the stream out (docs/top/reference.md, STORE). A command begins at its first cycle with `cmd_valid_i`, asks
// for words from the next one on, and is done a cycle after its last word.
module top_store
  import top_pkg::move_t;
#(
  parameter int YWords = 16384,
  parameter int AWords = 1024,
  parameter int SWords = 4096
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      cmd_valid_i,
  /* verilator lint_off UNUSEDSIGNAL */  // spare bits, waits
  input  move_t                     cmd_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic                      cmd_done_o,     // pulse
  output logic [top_pkg::CodeW-1:0] cmd_code_o,
  output logic                      busy_o,
  // the buffers' read ports
  output logic [7:0]                read_o,         // by buffer number
  output logic [top_pkg::AddrW-1:0] addr_o,
  input  logic [7:0]                grant_i,
  input  logic [5*top_pkg::BeatW-1:0] data_i,       // of buffers 3 .. 7
  input  logic [top_pkg::BeatW-1:0] record_i,       // of the records, a cycle after the address
  output logic                      m_valid_o,
  input  logic                      m_ready_i,
  output logic [top_pkg::BeatW-1:0] m_data_o,
  output logic                      m_last_o
);
  localparam logic [1:0] Idle = 2'd0, Run = 2'd1, Done = 2'd2;
  logic [1:0] state_q;
  logic [top_pkg::CodeW-1:0] code_q;
  logic [15:0] count_q;
  logic        range_q;

  logic [2:0]  target;
  logic [15:0] words;
  logic [16:0] size, limit, addr;
  logic        bad_op, records, more, req_ready, out_range, mem_req, grant;
  logic [top_pkg::BeatW-1:0] data;
  assign target = cmd_i.head.target;
  assign words = cmd_i.words;
  assign records = cmd_i.head.records;
  assign bad_op = cmd_i.head.op != top_pkg::OpStore || (records ? target != '0 : target < top_pkg::BufY);
  assign size = records ? 17'(top_pkg::RecordWords) : (target == top_pkg::BufY) ? 17'(YWords) :
      (target == top_pkg::BufA) ? 17'(AWords) : 17'(SWords);
  // The fetch knows one size: an address past a smaller buffer's end is moved past it.
  assign addr = {1'b0, cmd_i.addr} + {1'b0, count_q};
  assign limit = (addr >= size) ? 17'h1_0000 : addr;
  assign more = state_q == Run && count_q != words;
  assign grant = records || grant_i[target];
  assign data = records ? record_i : (target == top_pkg::BufY) ? data_i[0 +: 128] :
      (target == top_pkg::BufA) ? data_i[128 +: 128] : (target == top_pkg::BufSw) ? data_i[256 +: 128] :
      (target == top_pkg::BufSm) ? data_i[384 +: 128] : data_i[512 +: 128];
  for (genvar b = 0; b < 8; b++) begin : gen_read
    assign read_o[b] = mem_req && !records && target == 3'(b);
  end
  top_fetch #(
    .Words(65536),
    .SideW(1)
  ) u_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .req_valid_i(more),
    .req_ready_o(req_ready),
    .req_addr_i (limit),
    .req_side_i (count_q + 16'd1 == words),
    .mem_req_o  (mem_req),
    .mem_addr_o (addr_o),
    .mem_gnt_i  (grant),
    .mem_data_i (data),
    .out_valid_o(m_valid_o),
    .out_ready_i(m_ready_i),
    .out_data_o (m_data_o),
    .out_side_o (m_last_o),
    .out_range_o(out_range)
  );
  assign cmd_done_o = state_q == Done;
  assign cmd_code_o = code_q;
  assign busy_o = state_q != Idle;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      code_q  <= '0;
      count_q <= '0;
      range_q <= 1'b0;
    end else begin
      case (state_q)
        Idle: if (cmd_valid_i) begin
          count_q <= '0;
          range_q <= 1'b0;
          code_q  <= bad_op ? top_pkg::CmdOperation : (words == '0) ? top_pkg::CmdSize : top_pkg::CmdOk;
          state_q <= (bad_op || words == '0) ? Done : Run;
        end
        Run: begin
          if (more && req_ready) count_q <= count_q + 16'd1;
          if (m_valid_o && m_ready_i) begin
            range_q <= range_q || out_range;
            if (m_last_o) begin
              if (range_q || out_range) code_q <= top_pkg::CmdRange;
              state_q <= Done;
            end
          end
        end
        default: state_q <= Idle;
      endcase
    end
  end
endmodule
