package actions

import (
	"net/http"

	"example/models"
)

// create makes a widget through its form and returns it.
func (as *ActionSuite) create(name string) *models.Widget {
	res := as.HTML("/widgets").Post(&models.Widget{Name: name})
	as.Equal(http.StatusSeeOther, res.Code)
	widget := &models.Widget{}
	as.NoError(as.DB.Where("name = ?", name).First(widget))
	as.Equal("/widgets/"+widget.ID.String(), res.Location())
	return widget
}

func (as *ActionSuite) Test_WidgetsResource_List() {
	as.create("a lasso")
	as.Contains(as.HTML("/widgets").Get().Body.String(), "a lasso")
	as.Contains(as.JSON("/widgets").Get().Body.String(), "a lasso")
}

func (as *ActionSuite) Test_WidgetsResource_Show() {
	widget := as.create("a shield")
	as.Contains(as.HTML("/widgets/%s", widget.ID).Get().Body.String(), "a shield")
	as.Equal(http.StatusNotFound, as.HTML("/widgets/%s", "00000000-0000-0000-0000-000000000000").Get().Code)
}

func (as *ActionSuite) Test_WidgetsResource_Create() {
	as.create("a cape")
	as.Contains(as.HTML("/widgets").Get().Body.String(), "Widget was successfully created", "the flash")
	as.NotContains(as.HTML("/widgets").Get().Body.String(), "Widget was successfully created", "once")

	as.Equal(http.StatusUnprocessableEntity, as.HTML("/widgets").Post(&models.Widget{}).Code)
	n, err := as.DB.Count(&models.Widget{})
	as.NoError(err)
	as.Equal(1, n)
}

func (as *ActionSuite) Test_WidgetsResource_Update() {
	widget := as.create("a hamer")
	res := as.HTML("/widgets/%s", widget.ID).Put(&models.Widget{ID: widget.ID, Name: "a hammer"})
	as.Equal(http.StatusSeeOther, res.Code)
	as.NoError(as.DB.Reload(widget))
	as.Equal("a hammer", widget.Name)
}

func (as *ActionSuite) Test_WidgetsResource_Destroy() {
	widget := as.create("kryptonite")
	as.Equal(http.StatusSeeOther, as.HTML("/widgets/%s", widget.ID).Delete().Code)
	n, err := as.DB.Count(&models.Widget{})
	as.NoError(err)
	as.Zero(n)
}

func (as *ActionSuite) Test_WidgetsResource_New() {
	as.Contains(as.HTML("/widgets/new").Get().Body.String(), "<form")
}

func (as *ActionSuite) Test_WidgetsResource_Edit() {
	widget := as.create("a web")
	as.Contains(as.HTML("/widgets/%s/edit", widget.ID).Get().Body.String(), `value="a web"`)
}
