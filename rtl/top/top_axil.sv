`include "ts_assert.svh"

// AXI4-Lite slave (docs/top/reference.md, Registers): reads and writes become requests on the register bus, one at a time in the order in which
// they become complete; of a read and a write that do so in the same cycle the write is first. AW and W come in any order and at any
// distance. While B holds an answer no further write is begun, and while R holds one no further read; the other kind may then pass.
//
// A read or write that is complete at t (its last transfer) is chosen at t + 1 at the earliest and requested from the cycle after that on.
// The answer is on B or R from the cycle after the bus' response; a refused one (see below), which is no request, from that after the choice.
module top_axil (
  input  logic clk_i,
  input  logic rst_ni,
  // AXI4-Lite
  input  logic        axil_awvalid_i,
  output logic        axil_awready_o,
  input  logic [15:0] axil_awaddr_i,
  input  logic        axil_wvalid_i,
  output logic        axil_wready_o,
  input  logic [31:0] axil_wdata_i,
  input  logic [3:0]  axil_wstrb_i,
  output logic        axil_bvalid_o,
  input  logic        axil_bready_i,
  output logic [1:0]  axil_bresp_o,
  input  logic        axil_arvalid_i,
  output logic        axil_arready_o,
  input  logic [15:0] axil_araddr_i,
  output logic        axil_rvalid_o,
  input  logic        axil_rready_i,
  output logic [31:0] axil_rdata_o,
  output logic [1:0]  axil_rresp_o,
  // register bus: one request at a time, each answered by a pulse in a later cycle
  output logic        req_valid_o,
  input  logic        req_ready_i,
  output logic        req_write_o,
  output logic [15:0] req_addr_o,
  output logic [31:0] req_wdata_o,
  input  logic        rsp_valid_i,
  input  logic [1:0]  rsp_code_i,
  input  logic [31:0] rsp_data_i
);
  localparam logic [1:0] RespSlvErr = 2'd2;
  localparam logic [1:0] RespDecErr = 2'd3;

  localparam logic [1:0] StIdle = 2'd0;     // chooses
  localparam logic [1:0] StRequest = 2'd1;
  localparam logic [1:0] StAnswer = 2'd2;   // waits for the response
  logic [1:0] state_q;

  // ---- what has come and was not chosen yet ----------------
  logic        aw_full_q, w_full_q, ar_full_q;
  logic [15:0] aw_addr_q, ar_addr_q;
  logic [31:0] w_data_q;
  logic [3:0]  w_strb_q;
  logic        read_older_q;                // than the write, if both are complete
  logic        write_complete, choose_write, choose_read, write_free, read_free;
  assign axil_awready_o = !aw_full_q;
  assign axil_wready_o  = !w_full_q;
  assign axil_arready_o = !ar_full_q;
  assign write_complete = aw_full_q && w_full_q;
  assign write_free = write_complete && (!axil_bvalid_o || axil_bready_i);
  assign read_free  = ar_full_q && (!axil_rvalid_o || axil_rready_i);
  assign choose_write = state_q == StIdle && write_free && !(read_free && read_older_q);
  assign choose_read  = state_q == StIdle && read_free && !choose_write;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_full_q    <= 1'b0;
      w_full_q     <= 1'b0;
      ar_full_q    <= 1'b0;
      read_older_q <= 1'b0;
    end else begin
      aw_full_q <= aw_full_q ? !choose_write : axil_awvalid_i;
      w_full_q  <= w_full_q ? !choose_write : axil_wvalid_i;
      ar_full_q <= ar_full_q ? !choose_read : axil_arvalid_i;
      if (write_complete != ar_full_q) read_older_q <= ar_full_q;
      else if (!ar_full_q) read_older_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (axil_awvalid_i && axil_awready_o) aw_addr_q <= axil_awaddr_i;
    if (axil_arvalid_i && axil_arready_o) ar_addr_q <= axil_araddr_i;
    if (axil_wvalid_i && axil_wready_o) begin
      w_data_q <= axil_wdata_i;
      w_strb_q <= axil_wstrb_i;
    end
  end

  // ---- request ----------------
  logic        misaligned, refused;
  logic [15:0] addr;
  assign addr = choose_write ? aw_addr_q : ar_addr_q;
  assign misaligned = addr[1:0] != 2'd0;
  assign refused = misaligned || (choose_write && w_strb_q != '1);
  assign req_valid_o = state_q == StRequest;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= StIdle;
    end else begin
      case (state_q)
        StIdle:    if ((choose_write || choose_read) && !refused) state_q <= StRequest;
        StRequest: if (req_ready_i) state_q <= StAnswer;
        default:   if (rsp_valid_i) state_q <= StIdle;
      endcase
    end
  end
  always_ff @(posedge clk_i) begin
    if (choose_write || choose_read) begin
      req_write_o <= choose_write;
      req_addr_o  <= addr;
      req_wdata_o <= w_data_q;
    end
  end

  // ---- answers ----------------
  logic answered;
  logic [1:0] refusal;
  assign answered = state_q == StAnswer && rsp_valid_i;
  assign refusal = misaligned ? RespDecErr : RespSlvErr;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      axil_bvalid_o <= 1'b0;
      axil_bresp_o  <= '0;
      axil_rvalid_o <= 1'b0;
      axil_rresp_o  <= '0;
      axil_rdata_o  <= '0;
    end else begin
      if (axil_bready_i) axil_bvalid_o <= 1'b0;
      if (axil_rready_i) axil_rvalid_o <= 1'b0;
      if (choose_write && refused) begin
        axil_bvalid_o <= 1'b1;
        axil_bresp_o  <= refusal;
      end
      if (choose_read && refused) begin
        axil_rvalid_o <= 1'b1;
        axil_rresp_o  <= refusal;
        axil_rdata_o  <= '0;
      end
      if (answered && req_write_o) begin
        axil_bvalid_o <= 1'b1;
        axil_bresp_o  <= rsp_code_i;
      end
      if (answered && !req_write_o) begin
        axil_rvalid_o <= 1'b1;
        axil_rresp_o  <= rsp_code_i;
        axil_rdata_o  <= rsp_data_i;
      end
    end
  end

  // A response belongs to a request, and there is room for it.
  `TS_ASSERT(ResponseAwaited, !rsp_valid_i || state_q == StAnswer)
  `TS_ASSERT(NoAnswerLost, !answered || !(req_write_o ? axil_bvalid_o : axil_rvalid_o))
endmodule
